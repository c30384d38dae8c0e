package pool

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func TestClientsWithTheSameIdsDoNotCross(t *testing.T) {
	const clients = 64
	calls := testlimit.Rounds(100_000)
	b := newBench(t, 0, nil)
	b.server.Workers = 1
	var crossed, dropped atomic.Int64
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 1))
			for i := range calls / clients {
				text := fmt.Sprintf("%d-%d", client, i)
				count := random.IntN(3)
				hangUp := random.IntN(20) == 0
				c, leave, err := b.send("u", modernTool("echo", text, count))
				if err != nil {
					t.Error(err)
					return
				}
				for n := 0; ; n++ {
					if hangUp && n == random.IntN(2) {
						dropped.Add(1)
						break
					}
					got, last := next(c)
					ours := strings.Contains(got, `"`+text+`"`) && (strings.HasPrefix(got, `{"jsonrpc":"2.0","id":1,`) || strings.Contains(got, `"progressToken":"t"`))
					if !ours || last != (n == count) {
						crossed.Add(1)
						t.Errorf("client %d, call %d, message %d: %s", client, i, n, got)
					}
					if last {
						break
					}
				}
				leave()
			}
		})
	}
	all.Wait()
	if n := len(b.started); n != 1 {
		t.Errorf("%d processes, want 1", n)
	}
	t.Logf("%d calls of %d clients on one process, %d of them hung up on: %d crossed", calls, clients, dropped.Load(), crossed.Load())
}

func TestWhoHangsUpCancelsAndNothingIsDeliveredLate(t *testing.T) {
	b := newBench(t, 0, nil)
	b.server.Workers = 1
	const n = 100
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			c, leave, err := b.send("u", modernTool("late", "", 0))
			if err != nil {
				t.Error(err)
				return
			}
			leave() // the server answers now, with progress before
			if e, state := c.Take(); state != stream.Ended {
				t.Errorf("after the end of a call: state %d, %v", state, e)
			}
		})
	}
	all.Wait()
	if got, err := b.ask("u", modernTool("cancelled", "", 0)); err != nil || !strings.Contains(got, fmt.Sprintf(`"%d"`, n)) {
		t.Errorf("cancellations that came: %s, %v; want %d", got, err, n)
	}
}

func TestPrincipalsDoNotShareAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		for range 3 {
			for _, principal := range []string{"a", "b"} {
				if _, err := b.ask(principal, modernTool("echo", "", 0)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := len(b.processes()); n != 2 {
			t.Errorf("%d processes for two principals, want 2", n)
		}
	})
}

func TestPoolGrowsWhenItIsCrowdedAndEndsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Workers = 2
		var leaves []func()
		for range 5 { // they wait, and do not count
			_, leave, err := b.send("u", listen1())
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		for i := range 3 * maxCallsPerWorker {
			_, leave, err := b.send("u", modernTool("late", "", 0))
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
			want := 1
			if i >= maxCallsPerWorker {
				want = 2
			}
			if n := len(b.processes()); n != want {
				t.Fatalf("%d processes for %d calls, want %d", n, i+1, want)
			}
		}
		time.Sleep(2 * b.server.Idle) // someone is inside
		for _, leave := range leaves {
			leave()
		}
		time.Sleep(b.server.Idle - time.Second)
		for i, p := range b.processes() {
			select {
			case <-p.Gone():
				t.Errorf("process %d ended before its time", i)
			default:
			}
		}
		time.Sleep(2 * time.Second)
		for _, p := range b.processes() {
			<-p.Gone()
		}
	})
}

func TestSubscriptionEndsWithAnAnswerWhenTheAppDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		c, leave, err := b.send("u", listen1())
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		if got, last := next(c); last || !strings.Contains(got, "acknowledged") || !strings.Contains(got, `subscriptionId":1`) {
			t.Errorf("first message: %s", got)
		}
		b.pools.Refuse()
		want := `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
		if got, last := next(c); !last || got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if _, err := b.share("u"); !errors.Is(err, admission.ErrClosed) {
			t.Errorf("a call after that: %v", err)
		}
	})
}

func TestIdleProcessOfAPoolMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, nil)
		for _, principal := range []string{"a", "b", "c"} {
			if _, err := b.ask(principal, modernTool("echo", "", 0)); err != nil {
				t.Fatalf("%s: %v", principal, err)
			}
			time.Sleep(time.Second)
		}
		<-b.processes()[0].Gone()
		c, leave, err := b.send("b", modernTool("late", "", 0))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		_ = c
		log := slog.New(slog.DiscardHandler)
		table := session.NewTable(session.Options{Log: log, Starter: b.starter, Admission: b.room})
		defer table.Close()
		sessions := &session.Server{Spec: b.server.Spec, Idle: time.Hour}
		s, err := table.Open(t.Context(), session.Opening{Server: sessions, Principal: "d"}) // in place of the idle c's
		if err != nil {
			t.Fatal(err)
		}
		<-b.processes()[2].Gone()
		var full *admission.FullError
		if _, err := b.share("e"); !errors.As(err, &full) {
			t.Errorf("a third: %v, want a FullError", err)
		}
		s.Leave() // idle now, so that it makes room for a process
		if _, err := b.share("e"); err != nil || s.Alive() {
			t.Errorf("in place of an idle session: %v", err)
		}
	})
}

func TestSlowClientIsCutOffAndNotItsNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Workers = 1
		_, leave, err := b.send("u", modernTool("echo", "x", 2560)) // which nobody takes
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		start := time.Now()
		if got, err := b.ask("u", modernTool("echo", "neighbour", 0)); err != nil || !strings.Contains(got, "neighbour") {
			t.Errorf("%s, %v", got, err)
		}
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("the neighbour waited %v", d)
		}
	})
}

func TestCallThatTakesTooLongIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.CallTimeout = 5 * time.Second
		got, err := b.ask("u", modernTool("late", "", 0))
		if err != nil || !strings.Contains(got, child.ReasonSlow) {
			t.Errorf("%s, %v", got, err)
		}
		synctest.Wait() // the process hears of it a moment after the client
		if got, err = b.ask("u", modernTool("cancelled", "", 0)); err != nil || !strings.Contains(got, `"1"`) {
			t.Errorf("cancellations: %s, %v", got, err)
		}
	})
}
