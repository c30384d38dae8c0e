//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tally counts what happens, from any goroutine. Some of its counts are due to be zero.
type tally struct {
	due []string

	mu       sync.Mutex
	counts   map[string]int
	examples map[string][]string
	slowest  map[string]took
}

// newTally returns a tally of which these counts must stay zero.
func newTally(due ...string) *tally {
	return &tally{due: due, counts: map[string]int{}, examples: map[string][]string{}, slowest: map[string]took{}}
}

// add counts one; of what is due to be zero, detail says what it was.
func (c *tally) add(what string, detail ...any) { c.addN(what, 1, detail...) }

func (c *tally) addN(what string, n int, detail ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what] += n
	if n > 0 && len(detail) > 0 && len(c.examples[what]) < 5 {
		c.examples[what] = append(c.examples[what], fmt.Sprint(detail...))
	}
}

// took is how long something took, and where.
type took struct {
	time.Duration
	where string
}

// took notes how long something took, if nothing took longer.
func (c *tally) took(what string, d time.Duration, where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > c.slowest[what].Duration {
		c.slowest[what] = took{d, where}
	}
}

// report prints the figures, and fails the test for those that should be zero and are not.
func (c *tally) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		if !slices.Contains(c.due, what) {
			fmt.Fprintf(&b, "\n%10d  %s", c.counts[what], what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(c.slowest)) {
		longest := c.slowest[what]
		fmt.Fprintf(&b, "\n%10s  at most: %s (%s)", longest.Round(time.Millisecond), what, longest.where)
	}
	for _, what := range c.due {
		fmt.Fprintf(&b, "\n%10d  %s (0 is due)", c.counts[what], what)
	}
	t.Log(b.String())
	for _, what := range c.due {
		if n := c.counts[what]; n != 0 {
			t.Errorf("%d %s, want 0:\n%s", n, what, strings.Join(c.examples[what], "\n"))
		}
	}
}
