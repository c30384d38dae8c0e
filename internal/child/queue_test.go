package child

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A gated process lets the test say when each write ends.
type gated struct {
	*mcptest.Process
	wrote chan string
	gate  chan struct{}
}

func (g *gated) Write(p []byte) (int, error) {
	g.wrote <- string(p)
	select {
	case <-g.gate:
		return len(p), nil
	case <-g.Gone():
		return 0, io.ErrClosedPipe
	}
}

// What waits while something is written goes out in one write: in order, without callers that have given up, and within
// bounds.
func TestWhatWaitsIsWrittenAtOnce(t *testing.T) {
	for _, at := range []struct {
		name   string
		count  int
		size   int
		gaveUp int // the number of who gives up before anything is written; 0 for nobody
		writes []int
	}{
		{"small", 5, 10, 0, []int{1, 4}},
		{"one gives up", 5, 10, 2, []int{1, 3}},
		{"large", 4, togetherBytes / 2, 0, []int{1, 1, 1, 1}},
		{"many", 2*togetherMessages + 2, 10, 0, []int{1, togetherMessages, togetherMessages, 1}},
	} {
		t.Run(at.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gated{mcptest.NewProcess(), make(chan string, 100), make(chan struct{})}
				c, ended := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return g }))
				var all sync.WaitGroup
				var want []string
				cancels := map[int]context.CancelFunc{}
				for n := range at.count {
					text := fmt.Sprintf(`{"jsonrpc":"2.0","method":"n%d","params":{"x":"%s"}}`, n, strings.Repeat("x", at.size))
					lost := at.gaveUp > 0 && n == at.gaveUp
					if !lost {
						want = append(want, text)
					}
					m := request(t, text)
					ctx, cancel := context.WithCancel(t.Context())
					cancels[n] = cancel
					all.Go(func() {
						if err := c.Write(ctx, m); (err == context.Canceled) != lost || err != nil && !lost {
							t.Errorf("message %d: %v", n, err)
						}
					})
					synctest.Wait() // it has its place
				}
				if at.gaveUp > 0 {
					cancels[at.gaveUp]()
					synctest.Wait()
				}
				var got []string
				for i, count := range at.writes {
					lines := strings.SplitAfter(<-g.wrote, "\n")
					lines = lines[:len(lines)-1]
					if len(lines) != count {
						t.Errorf("write %d has %d messages, want %d", i, len(lines), count)
					}
					for _, line := range lines {
						got = append(got, strings.TrimSuffix(line, "\n"))
					}
					g.gate <- struct{}{}
				}
				all.Wait()
				for _, cancel := range cancels {
					cancel()
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %.300q, want %.300q", got, want)
				}
				c.Kill(&Failure{Text: "test"})
				<-ended
			})
		})
	}
}

// A caller that has got the turn and gives up passes it on, and who waits when the process dies hears of it.
func TestTurnsToWriteAreNotLost(t *testing.T) {
	t.Parallel()
	var q queue
	m := request(t, ping)
	if q.join(m) != nil {
		t.Fatal("nobody writes, and no caller has the turn")
	}
	first, second := q.join(m), q.join(m)
	q.take(request(t, `{"jsonrpc":"2.0","method":"x","params":"`+strings.Repeat("x", togetherBytes)+`"}`)) // alone
	q.end(nil)                                                                                             // it is the turn of the first
	if err := q.leave(first, context.Canceled); err != context.Canceled {
		t.Errorf("who gave up got %v", err)
	}
	if err := q.await(t.Context(), nil, second); err != errTurn {
		t.Fatalf("the next got %v, want its turn", err)
	}
	third := q.join(m)
	if got := len(q.take(m)); got != 2 {
		t.Errorf("%d messages are written, want 2", got)
	}
	q.end(errGone)
	if err := q.await(t.Context(), nil, third); err != errGone {
		t.Errorf("whose message was written in vain got %v", err)
	}
	if q.join(m) != nil {
		t.Error("nobody writes any more, and no caller has the turn")
	}
}

// Who waits for a turn gives up when its request has to end, however it was limited.
func TestWaitForATurnEndsInTime(t *testing.T) {
	for name, of := range map[string]func(l *Limited) context.Context{
		"limited": func(l *Limited) context.Context { return l },
		"endless": (*Limited).Endless,
		"derived": func(l *Limited) context.Context { return context.WithValue(l, deadline{}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gated{mcptest.NewProcess(), make(chan string, 100), make(chan struct{})}
				c, _ := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return g }))
				m := request(t, `{"jsonrpc":"2.0","method":"n"}`)
				var all sync.WaitGroup
				all.Go(func() { c.Write(t.Context(), m) }) // which ends with the process
				synctest.Wait()
				began := time.Now()
				l := Until(t.Context(), began.Add(stallTimeout/2), time.Hour)
				defer l.Stop()
				if err := c.Write(of(l), m); err != context.DeadlineExceeded || time.Since(began) != stallTimeout/2 {
					t.Errorf("error %v after %v", err, time.Since(began))
				}
				all.Wait()
			})
		})
	}
}
