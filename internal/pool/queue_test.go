package pool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// cold is a process that says nothing for this long.
func cold(wait time.Duration, serve func(in io.Reader, out, complain io.Writer, exit func(int))) func(in io.Reader, out, complain io.Writer, exit func(int)) {
	return func(in io.Reader, out, complain io.Writer, exit func(int)) {
		time.Sleep(wait)
		serve(in, out, complain, exit)
	}
}

func TestNoCallWaitsForAColdProcessWhileAnotherIsFree(t *testing.T) {
	const slow, calls = 12 * time.Second, 20
	for name, test := range map[string]struct {
		cold int // which of the processes
		warm bool
	}{
		"the second, beside one that is ready": {1, true},
		"the first of three":                   {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 0, nil)
				b.server.Era = BothEras
				launch, n := b.server.Launch, 0
				b.server.Launch = func(ctx context.Context, caller any) (process.Process, error) {
					b.mu.Lock()
					n++
					first := n-1 == test.cold
					b.mu.Unlock()
					if first {
						return b.launch(cold(slow, mcptest.Stateless))(ctx, caller)
					}
					return launch(ctx, caller)
				}
				if test.warm {
					if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				var all sync.WaitGroup
				for range calls {
					all.Go(func() {
						w, err := b.share("u")
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(time.Second) // of work
						w.Leave()
					})
				}
				all.Wait()
				if d := time.Since(start); d > 4*time.Second {
					t.Errorf("%d calls took %v", calls, d)
				}
				if len(b.processes()) <= test.cold {
					t.Error("no cold process was started")
				}
				time.Sleep(slow) // until nobody sleeps
			})
		})
	}
}

func TestWhoWaitsForAProcessThatFailsIsServedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Fatal(err)
		}
		b.server.Launch = b.launch(func(in io.Reader, out, complain io.Writer, exit func(int)) {
			bufio.NewReader(in).ReadString('\n')
			time.Sleep(5 * time.Second)
			exit(1)
		})
		start := time.Now()
		for i := range 2 * maxCallsPerWorker {
			_, leave, err := b.send("u", modernTool("late", "", 0))
			if err != nil {
				t.Fatal(err)
			}
			defer leave()
			if d := time.Since(start); i < maxCallsPerWorker && d > 0 || d > 6*time.Second {
				t.Errorf("call %d got a process after %v", i, d)
			}
		}
	})
}

func TestWhoGivesUpWaitingLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Era = BothEras
		b.server.Launch = b.launch(cold(10*time.Second, mcptest.Stateless))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := b.pools.Share(ctx, b.server, Caller{Principal: "u"}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * b.server.Idle)
		for _, p := range b.processes() {
			<-p.Gone()
		}
	})
}

// What a server does not answer is bounded for callers without a session, too; subscriptions are counted apart.
func TestT35UnansweredCallsOfACallerAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		var leaves []func()
		flood := func(text string) (refused int) {
			for range 2 * maxInFlight {
				_, leave, err := b.send("mallory", text)
				if busy, ok := errors.AsType[*admission.BusyError](err); ok && busy.Limit == maxInFlight {
					refused++
				} else if err != nil {
					t.Fatal(err)
				} else {
					leaves = append(leaves, leave)
				}
			}
			return refused
		}
		if n := flood(modernTool("silent", "", 0)); n != maxInFlight {
			t.Errorf("%d calls were refused, want %d", n, maxInFlight)
		}
		leaves[0]()
		leaves = leaves[1:]
		if n := flood(listen1()); n != maxInFlight+1 && n != maxInFlight {
			t.Errorf("%d subscriptions were refused, want about %d", n, maxInFlight)
		}
		if got, err := b.ask("alice", modernTool("echo", "hello", 0)); err != nil || !strings.Contains(got, "hello") {
			t.Errorf("another caller: %q %v", got, err)
		}
		for _, leave := range leaves {
			leave()
		}
		synctest.Wait()
		if got, err := b.ask("mallory", modernTool("echo", "again", 0)); err != nil || !strings.Contains(got, "again") {
			t.Errorf("afterwards: %q %v", got, err)
		}
		p := b.pools.pools[Caller{Principal: "mallory"}.key(b.server)]
		if n := p.subscriptions.Load(); n != 0 || p.arriving != 0 {
			t.Errorf("%d subscriptions and %d arrivals are still counted", n, p.arriving)
		}
	})
}

// Requests that wait for a process, or for the era of a server, are bounded as well.
func TestT35CallsThatWaitForAProcessAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = func(ctx context.Context, _ any) (process.Process, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var refused atomic.Int32
		var all sync.WaitGroup
		for range 3 * maxInFlight {
			all.Go(func() {
				_, err := b.pools.Share(ctx, b.server, Caller{Principal: "mallory"})
				if _, ok := errors.AsType[*admission.BusyError](err); ok {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 2*maxInFlight {
			t.Errorf("%d were refused, want %d", n, 2*maxInFlight)
		}
		cancel()
		all.Wait()
	})
}
