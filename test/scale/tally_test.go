//go:build e2e

package scale

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A tally calls next in one session, and checks that nobody else does and that no call is made twice.
type tally struct {
	id         string
	made, last int
}

// next reports whether a call was answered, and not with an error that lets the client try again.
func (c *tally) next(t *testing.T, from caller) bool {
	t.Helper()
	c.made++
	got := from.send(t, http.MethodPost, c.id, call(1000+c.made, "next", `{}`))
	if got.status == http.StatusOK && !strings.Contains(got.body, fmt.Sprintf(`"id":%d`, 1000+c.made)) {
		t.Fatalf("the answer to another call: %+v", got)
	}
	_, after, ok := strings.Cut(got.body, `"text":"call `)
	if !ok {
		if !strings.Contains(got.body, `"retryable":true`) {
			t.Fatalf("call %d: %+v", c.made, got)
		}
		return false
	}
	var n int
	if _, err := fmt.Sscanf(after, "%d.", &n); err != nil || n <= c.last || n > c.made {
		t.Fatalf("call %d is number %d, after %d", c.made, n, c.last)
	}
	c.last = n
	return true
}
