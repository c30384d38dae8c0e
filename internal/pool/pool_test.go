package pool

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// bench is pools with one server whose processes are in memory.
type bench struct {
	t       *testing.T
	pools   *Pools
	starter *child.Starter
	room    *admission.Controller
	server  *Server

	mu      sync.Mutex
	started []*mcptest.Process
}

func plain(text string) string { return text }

// newBench is a bench with room for max processes, which speak 2026-07-28 and nothing else.
func newBench(t *testing.T, max int, hub *watch.Hub) *bench {
	log := slog.New(slog.DiscardHandler)
	b := &bench{t: t, starter: child.NewStarter(log, nil, child.Limits{}), room: admission.New(max, nil, 0, nil)}
	b.pools = New(log, b.starter, b.room, hub, nil)
	b.server = &Server{
		Spec: &child.Spec{
			Name: "fake", Framing: framing.Auto, MaxMessage: 1 << 20, StartTimeout: 30 * time.Second, Grace: 3 * time.Second,
			Restart: true, MaxRestarts: 3, Launch: b.launch(mcptest.Stateless),
		},
		Idle: time.Hour, Limits: admission.Limits{MaxPerPrincipal: 8},
	}
	t.Cleanup(func() {
		b.pools.Close()
		b.starter.Close()
		b.room.Close()
		if n := len(b.pools.workers); n != 0 {
			t.Errorf("left over: %d processes", n)
		}
	})
	return b
}

// processes waits until nothing moves, and returns the processes that were started.
func (b *bench) processes() []*mcptest.Process {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

func (b *bench) launch(serve func(in io.Reader, out, complain io.Writer, exit func(int))) func(context.Context, any) (process.Process, error) {
	return func(context.Context, any) (process.Process, error) {
		run := make(chan *mcptest.Process, 1) // it may exit at once
		p := mcptest.Run(func(in io.Reader, out io.Writer) error {
			serve(in, out, io.Discard, func(int) { (<-run).Exit(errors.New("crashed")) })
			return nil
		})
		run <- p
		b.mu.Lock()
		defer b.mu.Unlock()
		b.started = append(b.started, p)
		return p, nil
	}
}

func (b *bench) share(principal string) (*Worker, error) {
	return b.pools.Share(b.t.Context(), b.server, Caller{Principal: principal})
}

// modernTool is a call as every client writes it: with the id 1 and the token "t".
func modernTool(name, text string, count int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"text":%q,"count":%d},`+
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":"t"}}}`, name, text, count)
}

func listen1() string {
	return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
}

// send passes a call to a worker, which leave gives back.
func (b *bench) send(principal, text string) (c *Call, leave func(), err error) {
	w, err := b.share(principal)
	if err != nil {
		return nil, nil, err
	}
	m, err := message.Parse([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	defer m.Free()
	if c, err = w.Send(b.t.Context(), m, nil); err != nil {
		w.Leave()
		return nil, nil, err
	}
	return c, func() { c.Leave(); w.Leave() }, nil
}

// next waits for the next message of a call, or for its end.
func next(c *Call) (text string, last bool) {
	for {
		e, state := c.Take()
		switch state {
		case stream.Taken:
			defer e.Free()
			return string(e.Bytes()), e.Last
		case stream.Waiting:
			<-c.Ready()
		default:
			return "", true
		}
	}
}

// ask makes one call and returns its answer.
func (b *bench) ask(principal, text string) (string, error) {
	c, leave, err := b.send(principal, text)
	if err != nil {
		return "", err
	}
	defer leave()
	for {
		if text, last := next(c); last {
			return text, nil
		}
	}
}

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

func silent(in io.Reader, out, complain io.Writer, exit func(int)) { io.Copy(io.Discard, in) }

// undecided fails the test unless err is an UndecidedError for this reason.
func undecided(t *testing.T, err error, reason string) {
	t.Helper()
	if u, ok := errors.AsType[*UndecidedError](err); !ok || u.Why.Reason != reason {
		t.Errorf("got %v, want an UndecidedError for reason %s", err, reason)
	}
}

func TestServerOfUnknownEraIsAskedOnceAndForAsLongAsAStartMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = b.launch(silent)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := b.share(fmt.Sprint(i))
				undecided(t, err, child.ReasonTimeout)
				if d := time.Since(start); d < b.server.StartTimeout || d > b.server.StartTimeout+killedPatience {
					t.Errorf("client %d was told after %v", i, d)
				}
			})
		}
		all.Wait()
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d processes were asked, want 1", n)
		}
	})
}

// A server may be slow, or crash, for a hundred reasons, none of which says what it speaks.
func TestSilenceAndDeathAreNoVerdict(t *testing.T) {
	dies := func(in io.Reader, out, complain io.Writer, exit func(int)) {
		bufio.NewReader(in).ReadString('\n')
		exit(1)
	}
	for reason, serve := range map[string]func(in io.Reader, out, complain io.Writer, exit func(int)){
		child.ReasonTimeout: silent, child.ReasonExited: dies,
	} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 0, nil)
				b.server.Launch = b.launch(serve)
				_, err := b.share("u")
				undecided(t, err, reason)
				_, err = b.share("u") // at once
				undecided(t, err, reason)
				if n := len(b.processes()); n != 1 {
					t.Errorf("%d processes at once, want 1", n)
				}
				for range 20 { // the pause grows, and not without end
					time.Sleep(longestPause)
					start := time.Now()
					_, err = b.share("u")
					undecided(t, err, reason)
					if d := time.Since(start); d > laterPatience {
						t.Errorf("told after %v", d)
					}
					time.Sleep(b.server.StartTimeout)
				}
				if n := len(b.processes()); n != 21 {
					t.Errorf("asked %d times, want 21", n)
				}
				b.server.Launch = b.launch(mcptest.Stateless)
				time.Sleep(longestPause)
				if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
					t.Errorf("once it speaks: %v", err)
				}
			})
		})
	}
}

func TestServerThatStartsSlowlyIsOfTheEraThatItSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Launch = b.launch(cold(12*time.Second, mcptest.Stateless))
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Error(err)
		}
	})
}

// What a process printed that was started for one caller is for that caller alone.
func TestOthersAreNotToldWhatAProbePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		v, _ := b.pools.verdictOf(b.server)
		b.pools.undecided(v, &child.Failure{Text: "it died", Reason: child.ReasonExited, Stderr: []string{"secret"}, Head: "secret"})
		_, err := b.share("u")
		undecided(t, err, child.ReasonExited)
		if u, ok := errors.AsType[*UndecidedError](err); ok && (u.Why.Stderr != nil || u.Why.Head != "") {
			t.Errorf("told %+v", u.Why)
		}
	})
}

// What a package runner downloads takes longer than a client waits. It is not thrown away.
func TestFirstStartGoesOnAfterItsCallerGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		b.server.Runner = "npx thing"
		b.server.Launch = b.launch(func(in io.Reader, out, complain io.Writer, exit func(int)) {
			r := bufio.NewReader(in)
			ask, _ := r.ReadString('\n') // the pipe holds it while the download goes on
			time.Sleep(time.Minute)
			mcptest.Stateless(io.MultiReader(strings.NewReader(ask), r), out, complain, exit)
		})
		start := time.Now()
		_, err := b.share("u")
		if undecided(t, err, child.ReasonTimeout); time.Since(start) != b.server.StartTimeout {
			t.Errorf("after %v", time.Since(start))
		}
		start = time.Now()
		_, err = b.share("u")
		if undecided(t, err, child.ReasonTimeout); time.Since(start) != laterPatience {
			t.Errorf("the second after %v", time.Since(start))
		}
		time.Sleep(time.Minute)
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Error(err)
		}
		if n := len(b.processes()); n != 1 {
			t.Errorf("%d starts, want 1", n)
		}
	})
}

func TestServerThatIsModernNoMoreIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, nil)
		if _, err := b.ask("u", modernTool("echo", "", 0)); err != nil {
			t.Fatal(err)
		}
		b.processes()[0].Exit(errors.New("replaced"))
		synctest.Wait()
		b.server.Launch = b.launch(mcptest.Server)
		for range 2 {
			if _, err := b.share("u"); !errors.Is(err, ErrLegacy) {
				t.Errorf("%v, want ErrLegacy", err)
			}
		}
		if n := len(b.processes()); n != 2 {
			t.Errorf("%d processes, want 2", n)
		}
	})
}

func TestDiscoverIsJSON(t *testing.T) {
	if !json.Valid([]byte(discover)) {
		t.Errorf("%s is not JSON", discover)
	}
}

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
