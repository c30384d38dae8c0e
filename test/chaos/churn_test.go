//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// tolerance is how much more a handler may hold than at the start, in percent.
const tolerance = 5

// startTimeout is how long a handler remembers that a process has started.
const startTimeout = 5 * time.Second

// shortIdle ends sessions that are left so early that few are there at once, from the start on.
const shortIdle = 300 * time.Millisecond

// holding is what a handler without sessions holds.
type holding struct{ residentKB, goroutines, files int }

func (h holding) String() string {
	return fmt.Sprintf("%d KiB resident, %d goroutines, %d files", h.residentKB, h.goroutines, h.files)
}

// most returns the larger of each.
func (h holding) most(other holding) holding {
	return holding{max(h.residentKB, other.residentKB), max(h.goroutines, other.goroutines), max(h.files, other.files)}
}

// within reports whether h is no more than start, but for the tolerance.
func (h holding) within(start holding) bool {
	over := func(now, then int) bool { return now*100 > then*(100+tolerance) }
	return (raced || !over(h.residentKB, start.residentKB)) && !over(h.goroutines, start.goroutines) && !over(h.files, start.files)
}

func TestSessionsLeaveNothingBehind(t *testing.T) {
	n := scale(30_000, 2_000)
	server := fake("server", "server")
	server.IdleTimeout = shortIdle
	server.StartTimeout = startTimeout
	server.OnLost = "404" // else what became of it is remembered for a day, in a ledger that is bounded
	h := startHandler(t, mcpfunc.Config{Servers: []mcpfunc.Server{server}})
	counts := newTally("sessions that failed", "sessions left", "processes left", "grown beyond 5 %")

	// The start is when pools have filled. A small heap does not come to rest in the same place every
	// time, so the start is the most of three rests, and the end the least of up to three: what leaks
	// is in all of those.
	var start, end holding
	for range 3 {
		churn(t, h, n/10, counts)
		start = start.most(rest(t, h, counts))
	}
	began := time.Now()
	churn(t, h, n, counts)
	t.Logf("%.0f sessions/s", float64(n)/time.Since(began).Seconds())
	for range 3 {
		if end = rest(t, h, counts); end.within(start) {
			break
		}
		churn(t, h, n/10, counts)
	}
	t.Logf("at the start: %v; at the end: %v", start, end)
	if !end.within(start) {
		counts.add("grown beyond 5 %", fmt.Sprintf("from %v to %v", start, end))
	}
	settled(h, counts)
	counts.report(t)
}

// churn opens n sessions, asks each once, and leaves them in every way that clients have.
func churn(t *testing.T, h *handler, n int, counts *tally) {
	c := newClient(h, "server")
	defer c.leave()
	var workers sync.WaitGroup
	turns := make(chan int)
	for range 8 {
		workers.Go(func() {
			for i := range turns {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				begun := time.Now()
				how, err := visit(ctx, c, i)
				cancel()
				if errors.Is(err, errNoSession) && time.Since(begun) >= shortIdle {
					how, err = "that ended idle, because the machine was slow", nil
				}
				counts.add("sessions " + how)
				if err != nil {
					counts.add("sessions that failed", how, ": ", err)
				}
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	workers.Wait()
}

// visit is the life of one session.
func visit(ctx context.Context, c *client, i int) (how string, err error) {
	s, err := c.open(ctx)
	if err != nil {
		return "not opened", err
	}
	if text, err := s.say(ctx, "echo", arguments{Canary: s.id}); err != nil || text != s.id+" "+s.id {
		return "opened", fmt.Errorf("echo: %q, %w", text, err)
	}
	switch i % 4 {
	case 0:
		return "left alone", nil
	case 1: // in the middle of a call, which nobody will answer
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if m, err := s.call(ctx, "hang", arguments{}); !errors.Is(err, context.DeadlineExceeded) {
			return "left in a call", fmt.Errorf("hang: %s, %w", m.raw, err)
		}
		return "left in a call", nil
	case 2: // with its stream open
		a, err := s.listen(ctx)
		if err == nil {
			a.close()
		}
		return "left with a stream", err
	}
	return "deleted", s.end(ctx)
}

// rest waits until the handler has no sessions, and what their timers hold is gone too, and returns
// what it holds then.
func rest(t *testing.T, h *handler, counts *tally) (now holding) {
	t.Helper()
	var f figures
	gone := eventually(30*time.Second, 100*time.Millisecond, func() bool {
		f = h.figures(t)
		return f.Sessions == 0 && f.Processes == 0
	})
	if !gone {
		counts.addN("sessions left", f.Sessions, f.Stats)
		counts.addN("processes left", f.Processes, f.Stats)
	}
	<-time.After(startTimeout)
	f = h.figures(t) // which frees what can be freed
	return holding{residentKB(h.pid()), f.Goroutines, openFiles(h.pid())}
}
