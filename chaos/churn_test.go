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

// holding is what a handler without sessions holds.
type holding struct{ residentKB, goroutines, files int }

func (h holding) String() string {
	return fmt.Sprintf("%d KiB resident, %d goroutines, %d files", h.residentKB, h.goroutines, h.files)
}

func (h holding) most(other holding) holding {
	return holding{max(h.residentKB, other.residentKB), max(h.goroutines, other.goroutines), max(h.files, other.files)}
}

// within reports whether h is no more than start, but for the tolerance.
func (h holding) within(start holding) bool {
	over := func(now, then int) bool { return now*100 > then*(100+tolerance) }
	return !over(h.residentKB, start.residentKB) && !over(h.goroutines, start.goroutines) && !over(h.files, start.files)
}

func TestSessionsLeaveNothingBehind(t *testing.T) {
	n := scale(30_000, 2_000)
	server := fake(t, "server", "server")
	server.IdleTimeout = 300 * time.Millisecond // so that few are there at once, from the start on
	server.StartTimeout = 4 * time.Second
	h := startHandler(t, mcpfunc.Config{Servers: []mcpfunc.Server{server}})
	counts := newTally("sessions that failed", "sessions left", "processes left", "grown beyond 5 %")

	// The start is when pools have filled. Even then a small heap is not every time the same, so it
	// is the most of three rests.
	var start holding
	for range 3 {
		churn(t, h, n/15, counts)
		start = start.most(held(t, h, func(holding) bool { return true }, counts))
	}
	began := time.Now()
	churn(t, h, n, counts)
	t.Logf("%.0f sessions/s", float64(n)/time.Since(began).Seconds())
	end := held(t, h, func(now holding) bool { return now.within(start) }, counts)
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
				how, err := visit(ctx, c, i)
				cancel()
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

// held waits until the handler has no sessions and enough says so, though not for long, and returns
// what it holds then.
func held(t *testing.T, h *handler, enough func(holding) bool, counts *tally) (now holding) {
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
	// What timers of sessions that are gone hold, they hold for StartTimeout, and memory goes back to
	// the system by and by: the least counts.
	samples := 0
	eventually(20*time.Second, time.Second, func() bool {
		f = h.figures(t)
		sample := holding{residentKB(h.pid()), f.Goroutines, openFiles(h.pid())}
		if samples++; samples == 1 || sample.residentKB < now.residentKB {
			now = sample
		}
		return samples >= 6 && enough(now)
	})
	return now
}
