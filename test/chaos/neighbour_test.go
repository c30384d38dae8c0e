//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// bother is one way of a server to trouble its neighbours.
type bother struct {
	name  string
	tool  string
	n     int
	pad   int           // bytes of further calls, which nobody reads
	lasts time.Duration // at least
	want  string        // reason of the answer, or "" where it does not matter
}

func bothers() []bother {
	lasts := time.Duration(scale(20, 2)) * time.Second
	return []bother{
		{name: "flood", tool: "flood", lasts: lasts},
		{name: "questions", tool: "ask", lasts: lasts},
		{name: "noise", tool: "noise", lasts: lasts},
		{name: "a line without end", tool: "endless", lasts: lasts, want: "runaway_output"},
		{name: "a large answer", tool: "large", n: 2 * maxAnswer, lasts: lasts, want: "answer_too_large"},
		{name: "memory", tool: "hungry", n: scale(512, 128), lasts: lasts},
		{name: "deaf", tool: "deaf", pad: 512 << 10, lasts: lasts, want: "does_not_read"},
		{name: "stubborn", tool: "ignore", lasts: lasts},
	}
}

// maxAnswer is the limit of a message of a server, in bytes.
const maxAnswer = 1 << 20

func TestNeighboursNoticeNothing(t *testing.T) {
	h := startHandler(t, mcpfunc.Config{
		MaxResponseBytes: maxAnswer,
		Servers:          []mcpfunc.Server{fake("neighbour", "server"), fake("bother", "server")},
	})
	counts := newTally("neighbours' errors", "processes left", "bothers answered otherwise")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var neighbours sync.WaitGroup
	times := newLatencies()
	for i := range 6 {
		neighbours.Go(func() { neighbour(ctx, h, fmt.Sprintf("canary-%d", i), times, counts) })
	}
	before := residentKB(h.pid())
	for _, b := range bothers() {
		times.next()
		logged := h.figures(t).LogBytes
		began := time.Now()
		peak := b.trouble(t, h, counts)
		t.Logf("%-20s neighbours: %s; handler at most %+d MiB; %d KiB of log/s", b.name, times,
			(peak-before)>>10, int((h.figures(t).LogBytes-logged)>>10)/max(1, int(time.Since(began).Seconds())))
	}
	cancel()
	neighbours.Wait()
	settled(h, counts)
	counts.report(t)
}

// neighbour calls until ctx ends.
func neighbour(ctx context.Context, h *handler, canary string, times *latencies, counts *tally) {
	c := newClient(h, "neighbour")
	defer c.leave()
	s, err := c.open(ctx)
	if err != nil {
		counts.add("neighbours' errors", err)
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		want := fmt.Sprintf("%s/%d", canary, n)
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		began := time.Now()
		text, err := s.say(call, "echo", arguments{Canary: want})
		cancel()
		times.add(time.Since(began))
		if err != nil || text != canary+" "+want {
			counts.add("neighbours' errors", fmt.Sprintf("%q for %s: %v", text, want, err))
		}
		counts.add("neighbours' calls")
		<-time.After(5 * time.Millisecond)
	}
	if err := s.end(context.WithoutCancel(ctx)); err != nil {
		counts.add("neighbours' errors", "DELETE: ", err)
	}
}

// trouble lets two sessions bother, with a listener and without, ends them, and returns the most
// memory that the handler took, in KiB.
func (b bother) trouble(t *testing.T, h *handler, counts *tally) (peakKB int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var two sync.WaitGroup
	for i := range 2 {
		two.Go(func() {
			c := newClient(h, "bother")
			defer c.leave()
			s, err := c.open(ctx)
			if err != nil {
				counts.add("bothers answered otherwise", b.name, ": ", err)
				return
			}
			var listener sync.WaitGroup
			if i == 0 {
				a, err := s.listen(ctx)
				if err != nil {
					counts.add("bothers answered otherwise", b.name, ": listen: ", err)
					return
				}
				listener.Go(func() {
					for {
						if _, err := a.next(); err != nil {
							return
						}
					}
				})
				defer listener.Wait()
				defer a.close()
			}
			b.once(ctx, s, counts)
		})
	}
	done := make(chan struct{})
	go func() {
		two.Wait()
		close(done)
	}()
	for watch := time.NewTicker(20 * time.Millisecond); ; {
		peakKB = max(peakKB, residentKB(h.pid()))
		select {
		case <-watch.C:
			continue
		case <-done:
			watch.Stop()
			return peakKB
		}
	}
}

// once bothers in one session for as long as it lasts, and ends it.
func (b bother) once(ctx context.Context, s *session, counts *tally) {
	enough, cancel := context.WithTimeout(ctx, b.lasts+time.Duration(min(b.pad, 1))*20*time.Second)
	defer cancel()
	began := time.Now()
	m, err := s.call(enough, b.tool, arguments{N: b.n})
	for err == nil && m.Error == nil && b.pad > 0 {
		m, err = s.call(enough, "echo", arguments{Pad: strings.Repeat("x", b.pad)})
	}
	reason := fmt.Sprint(err)
	if m.Error != nil {
		reason = m.Error.Data.Reason
	}
	if b.want != "" && reason != b.want {
		counts.add("bothers answered otherwise", fmt.Sprintf("%s: %q, want %q", b.name, reason, b.want))
	}
	if rest := b.lasts - time.Since(began); rest > 0 && ctx.Err() == nil {
		<-time.After(rest)
	}
	if err := s.end(ctx); err != nil && err != errNoSession {
		counts.add("bothers answered otherwise", b.name, ": DELETE: ", err)
	}
}

// latencies are how long calls took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func newLatencies() *latencies { return &latencies{} }

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// next forgets what was so far.
func (l *latencies) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

func (l *latencies) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		return "no calls"
	}
	slices.Sort(l.all)
	at := func(percent int) time.Duration { return l.all[(len(l.all)-1)*percent/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d calls, p50 %v, p99 %v, at most %v", len(l.all), at(50), at(99), at(100))
}
