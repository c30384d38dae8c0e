package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// bench is a table with one server whose processes are in memory.
type bench struct {
	t      *testing.T
	table  *Table
	server *Server

	mu      sync.Mutex
	started []*mcptest.Process
}

// limits are those of an app.
type limits struct {
	max, starts int
	memory      admission.Memory
	watch       *watch.Hub
}

// newTable returns a table, which ends with the test and must leave nothing.
func newTable(t testing.TB, l limits, sharing Sharing) *Table {
	log := slog.New(slog.DiscardHandler)
	starter := child.NewStarter(log, nil, child.Limits{Starts: l.starts})
	room := admission.New(l.max, l.memory, 0, starter)
	table := NewTable(Options{Log: log, Starter: starter, Admission: room, Watch: l.watch, Sharing: sharing})
	t.Cleanup(func() {
		table.Close()
		starter.Close()
		room.Close()
		if st := table.Stats(); st.Sessions != 0 || st.Processes != 0 {
			t.Errorf("left over: %+v", st)
		}
	})
	return table
}

// processes waits until nothing moves, and returns the processes that were started.
func (b *bench) processes() []*mcptest.Process {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.started
}

func plain(text string) string { return text }

func newBench(t *testing.T, l limits) *bench {
	b := &bench{t: t, table: newTable(t, l, Sharing{Keys: ticket.RandomKeys()})}
	b.server = &Server{
		Spec: &child.Spec{
			Name: "fake", Framing: framing.Auto, MaxMessage: 1 << 20, StartTimeout: 30 * time.Second, Grace: 3 * time.Second,
			Restart: true, MaxRestarts: 3,
		},
		Idle: time.Hour, Limits: admission.Limits{MaxPerPrincipal: 8},
	}
	b.server.Launch = func(context.Context, any) (process.Process, error) {
		var p *mcptest.Process
		p = mcptest.Run(func(in io.Reader, out io.Writer) error {
			mcptest.Server(in, out, io.Discard, func(int) { p.Exit(errors.New("crashed")) })
			return nil
		})
		b.mu.Lock()
		defer b.mu.Unlock()
		b.started = append(b.started, p)
		return p, nil
	}
	return b
}

// tap returns what tells the lines that the processes that start from now on are written.
func (b *bench) tap() (said func() []string) {
	var lines []string
	launch := b.server.Launch
	b.server.Launch = func(ctx context.Context, caller any) (process.Process, error) {
		p, err := launch(ctx, caller)
		return &tapped{p, func(line []byte) {
			b.mu.Lock()
			defer b.mu.Unlock()
			lines = append(lines, strings.TrimSpace(string(line)))
		}}, err
	}
	return func() []string {
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Clone(lines)
	}
}

// tapped is a process that tells what is written to it, a message at a time.
type tapped struct {
	process.Process
	write func([]byte)
}

func (t *tapped) Write(p []byte) (int, error) {
	t.write(p)
	return t.Process.Write(p)
}

func (b *bench) open(principal string) *Session {
	b.t.Helper()
	s, err := b.table.Open(b.t.Context(), Opening{Server: b.server, Principal: principal, Version: "2025-11-25", ID: "chosen-" + principal})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// call sends a request and returns all that comes back.
func (b *bench) call(s *Session, text string, of ...*calls.Call) (got []string, err error) {
	m, err := message.Parse([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := s.Send(b.t.Context(), []*message.Message{m}, OnStream, of...)
	if err != nil {
		return nil, err
	}
	defer r.Leave()
	for {
		e, state := r.Take()
		switch state {
		case stream.Taken:
			got = append(got, said(e))
			e.Free()
			if e.Last {
				return got, nil
			}
		case stream.Waiting:
			<-r.Ready()
		default:
			return got, fmt.Errorf("state %d", state)
		}
	}
}

func tool(id int, name, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{%s},"_meta":{"progressToken":%d}}}`, id, name, args, id)
}

func TestSessionEndsWhenIdleAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		s := b.open("u")
		if _, err := b.call(s, tool(1, "echo", "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour) // a request is inside
		s.Leave()
		time.Sleep(time.Hour - time.Second)
		again, err := b.table.Find(s.Key)
		if err != nil {
			t.Fatal("gone before an hour")
		}
		again.Leave()
		time.Sleep(time.Hour - time.Second)
		if !s.Alive() {
			t.Fatal("gone an hour after the first use, and not after the last")
		}
		time.Sleep(2 * time.Second)
		if _, err := b.table.Find(s.Key); !errors.Is(err, ErrUnknown) {
			t.Fatal("still there after an hour")
		}
		select {
		case <-b.processes()[0].Gone():
		default:
			t.Error("its process is still there")
		}
	})
}

func TestRestartsBackOffAndAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		s := b.open("u")
		defer s.Leave()
		var pauses []time.Duration
		for round := range 3 {
			got, err := b.call(s, tool(1, "crash", ""))
			if err != nil || len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf(`"restarts_left":%d`, 2-round)) {
				t.Fatalf("crash %d: %v %v", round, got, err)
			}
			start := time.Now()
			if _, err := b.call(s, tool(2, "echo", "")); err != nil {
				t.Fatalf("after crash %d: %v", round, err)
			}
			pauses = append(pauses, time.Since(start))
		}
		for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
			if got := pauses[i]; got < want || got > want+want/5 {
				t.Errorf("pause %d is %v, want %v to a fifth more", i, got, want)
			}
		}
		time.Sleep(child.RestartWindow) // after which they are forgotten
		if got, err := b.call(s, tool(3, "crash", "")); err != nil || !strings.Contains(got[0], `"restarts_left":2`) {
			t.Errorf("after the window: %v %v", got, err)
		}
		for range 2 {
			b.call(s, tool(4, "crash", ""))
		}
		got, err := b.call(s, tool(5, "crash", ""))
		if err != nil || !strings.Contains(got[0], `"restarts_left":0`) {
			t.Errorf("last crash: %v %v", got, err)
		}
		synctest.Wait()
		if _, err := b.table.Find(s.Key); !errors.Is(err, ErrUnknown) {
			t.Error("the session survived more crashes than it may")
		}
	})
}

func TestOtherPrincipalsSessionIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		s := b.open("alice")
		defer s.Leave()
		if _, err := b.table.Find(admission.Key{Server: "fake", Principal: "bob", ID: s.ID}); !errors.Is(err, ErrUnknown) {
			t.Errorf("bob found it: %v", err)
		}
		other, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "bob", Version: "2025-11-25", ID: s.ID})
		if err != nil || other == s {
			t.Fatalf("bob's session of the same name: %v", err)
		}
		other.Leave()
		if n := len(b.processes()); n != 2 {
			t.Errorf("%d processes, want 2", n)
		}
	})
}

func TestLimitsAreOfPrincipalServerAndApp(t *testing.T) {
	for name, tt := range map[string]struct {
		limits    limits
		principal int
		server    int
		callers   []string
		want      []bool
	}{
		"principal": {limits{}, 2, 0, []string{"a", "a", "a", "b"}, []bool{true, true, false, true}},
		"server":    {limits{}, 0, 2, []string{"a", "b", "c"}, []bool{true, true, false}},
		"app":       {limits{max: 1}, 8, 8, []string{"a", "b"}, []bool{true, false}},
		"anonymous": {limits{}, 1, 0, []string{"", "", ""}, []bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.limits)
				b.server.MaxPerPrincipal, b.server.Max = tt.principal, tt.server
				var got []bool
				var inside []*Session
				for _, who := range tt.callers {
					s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: who})
					var full *admission.FullError
					if err != nil && !errors.As(err, &full) {
						t.Fatal(err)
					}
					got = append(got, err == nil)
					if err == nil {
						inside = append(inside, s)
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("opened %v, want %v", got, tt.want)
				}
				for _, s := range inside {
					s.Leave() // idle from now on, and so the first that must go
				}
				last := tt.callers[len(tt.callers)-1]
				s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: last})
				if err != nil {
					t.Fatalf("nothing idle was evicted: %v", err)
				}
				s.Leave()
			})
		})
	}
}

// A download fails after those who waited for it have given up: the next caller hears why.
func TestWhyAFirstStartFailedIsToldToTheNextCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.server.Runner = "npx\x00broken"
		b.server.Launch = func(context.Context, any) (process.Process, error) {
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				bufio.NewReader(in).ReadString('\n') // as the kernel keeps what a process does not read yet
				time.Sleep(40 * time.Second)
				return errors.New("npm error code EAI_AGAIN")
			}), nil
		}
		start := func(who string) error {
			s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: who})
			if err != nil {
				return err
			}
			defer s.Leave()
			got, err := b.call(s, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
			if err == nil {
				err = errors.New(got[0])
			}
			s.Abandon("the client disconnected before it received the session's id")
			return err
		}
		if err := start("a"); err == nil || !strings.Contains(err.Error(), "try again soon") {
			t.Errorf("the first caller got %v", err)
		}
		time.Sleep(time.Second)
		// One waits behind the first start, and another one for its own.
		for _, pause := range []time.Duration{0, time.Minute} {
			time.Sleep(pause)
			began := time.Now()
			err := start("b")
			if err == nil || !strings.Contains(err.Error(), "EAI_AGAIN") || strings.Contains(err.Error(), "try again soon") {
				t.Errorf("the next caller got %v", err)
			}
			if took := time.Since(began); took > b.server.StartTimeout {
				t.Errorf("and that after %s", took)
			}
		}
		time.Sleep(time.Minute) // for the processes to end
	})
}

func TestFirstStartOfARunnerIsOneAtATimeAndNotThrownAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.server.Runner = "uvx\x00slow"
		var starts atomic.Int32
		b.server.Launch = func(context.Context, any) (process.Process, error) {
			first := starts.Add(1) == 1
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				lines := bufio.NewReader(in) // as the kernel keeps what a process does not read yet
				line, _ := lines.ReadString('\n')
				if first {
					time.Sleep(50 * time.Second) // downloads
				}
				mcptest.Server(io.MultiReader(strings.NewReader(line), lines), out, io.Discard, func(int) {})
				return nil
			}), nil
		}
		const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
		open := func(who string) chan string {
			done := make(chan string, 1)
			go func() {
				s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: who})
				if err != nil {
					done <- err.Error()
					return
				}
				defer s.Leave()
				got, err := b.call(s, initialize)
				if err != nil {
					done <- err.Error()
					s.Abandon("the client disconnected before it received the session's id")
					return
				}
				done <- got[0]
			}()
			return done
		}
		first := open("a")
		synctest.Wait()
		second := open("b")
		time.Sleep(31 * time.Second)
		if got := <-first; !strings.Contains(got, "start_timeout") || !strings.Contains(got, `"retryable":true`) {
			t.Errorf("the first caller got %s", got)
		}
		if got := <-second; !strings.Contains(got, "still starting") {
			t.Errorf("the second caller got %s", got)
		}
		if n := starts.Load(); n != 1 {
			t.Errorf("%d starts at a time", n)
		}
		time.Sleep(20 * time.Second)
		if n := starts.Load(); n != 1 {
			t.Errorf("%d starts after the download, for nobody", n-1)
		}
		start := time.Now()
		if got := <-open("c"); !strings.Contains(got, "protocolVersion") || time.Since(start) > time.Second {
			t.Errorf("after the download: %s after %v", got, time.Since(start))
		}
	})
}

func TestSlowReaderMakesTheProcessWaitAndIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		s := b.open("u")
		defer s.Leave()
		m, _ := message.Parse([]byte(tool(1, "progress", `"count":10000`)))
		r, err := s.Send(t.Context(), []*message.Message{m}, OnStream)
		if err != nil {
			t.Fatal(err)
		}
		start, err := stream.ParseEventID(r.Keep(nil))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, state := r.Take(); state != stream.Cut {
			t.Errorf("a reader that does not read is in state %d", state)
		}
		r.Leave()
		synctest.Wait()
		back, err := s.Resume(start)
		if !errors.Is(err, stream.ErrGap) {
			t.Errorf("what fell out of the log: %v, %v", back, err)
		}
	})
}

func TestDeafProcessIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.server.Launch = func(context.Context, any) (process.Process, error) { return mcptest.NewProcess(), nil }
		s, err := b.table.Open(t.Context(), Opening{Server: b.server, Principal: "u"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Leave()
		got, err := b.call(s, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`)
		if err != nil || !strings.Contains(got[0], child.ReasonDeaf) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestClosedStdoutEndsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		s := b.open("u")
		defer s.Leave()
		b.processes()[0].Out.Close()
		time.Sleep(2 * time.Second)
		select {
		case <-b.processes()[0].Gone():
		default:
			t.Fatal("it lives on")
		}
		if _, err := b.call(s, tool(1, "echo", "")); err != nil {
			t.Errorf("the next call: %v", err)
		}
	})
}

func TestDeathWhileWeInitializeSaysWhatItDiedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, limits{})
		b.server.Launch = func(context.Context, any) (process.Process, error) {
			return mcptest.Run(func(in io.Reader, _ io.Writer) error {
				bufio.NewReader(in).ReadString('\n')
				return errors.New("no module named server")
			}), nil
		}
		s := b.open("u")
		defer s.Leave()
		if _, err := b.call(s, tool(1, "echo", "")); err == nil || !strings.Contains(err.Error(), "no module named server") {
			t.Errorf("got %v", err)
		}
	})
}
