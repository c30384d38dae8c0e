package child

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

func newStarter(t *testing.T, limits Limits) *Starter {
	s := NewStarter(slog.New(slog.DiscardHandler), nil, limits)
	t.Cleanup(s.Close)
	return s
}

func newSpec(launch func() process.Process) *Spec {
	return &Spec{
		Name: "fake", Framing: framing.Auto, MaxMessage: 1 << 20, StartTimeout: 30 * time.Second, Grace: 3 * time.Second,
		Restart: true, MaxRestarts: 3,
		Launch: func(context.Context, any) (process.Process, error) { return launch(), nil },
	}
}

// run starts a process, reads to its end, and says what that was.
func run(t *testing.T, ctx context.Context, s *Starter, spec *Spec) (*Child, <-chan *Failure) {
	t.Helper()
	c, err := s.Start(ctx, spec, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan *Failure, 1)
	go func() {
		ended <- c.Run(func() {
			for {
				m, err := c.Read()
				if err != nil {
					return
				}
				m.Free()
			}
		})
	}()
	return c, ended
}

func request(t *testing.T, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Free)
	return m
}

// A onceWaited is a process whose end is waited for once, as os/exec has it.
type onceWaited struct {
	*mcptest.Process
	waited *atomic.Bool
}

func (p onceWaited) Wait() error {
	if p.waited.Swap(true) {
		return errors.New("Wait was already called")
	}
	return p.Process.Wait()
}

func TestEndOfAPrewarmedProcessIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess()
		s := newStarter(t, Limits{})
		spec := newSpec(func() process.Process { return onceWaited{p, new(atomic.Bool)} })
		spec.Prewarm = 1
		s.Prewarm(spec)
		time.Sleep(time.Second)
		_, ended := run(t, t.Context(), s, spec)
		p.Exit(errors.New("the reason"))
		if f := <-ended; !strings.Contains(f.Text, "the reason") {
			t.Errorf("it ended with %q", f.Text)
		}
	})
}

// A slowLog takes no record before it may.
type slowLog struct {
	slog.Handler
	may chan struct{}
}

func (l slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (l slowLog) Handle(context.Context, slog.Record) error { <-l.may; return nil }

func (l slowLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// Its caller holds a lock.
func TestShedDoesNotWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slowLog{may: make(chan struct{})}
		s := NewStarter(slog.New(log), nil, Limits{})
		p := mcptest.NewProcess()
		spec := newSpec(func() process.Process { return p })
		spec.Prewarm = 1
		s.Prewarm(spec)
		time.Sleep(time.Second)
		if server, ok := s.Shed(); server != "fake" || !ok {
			t.Errorf("evicted: %q, %t", server, ok)
		}
		close(log.may)
		s.Close()
		<-p.Gone()
	})
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

func TestStopLadderIsClimbedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess() // does not end when its stdin does
		ctx, cancel := context.WithCancel(t.Context())
		spec := newSpec(func() process.Process { return p })
		_, ended := run(t, ctx, newStarter(t, Limits{}), spec)
		synctest.Wait()
		start := time.Now()
		cancel()
		<-p.Gone()
		if d := time.Since(start); d != spec.Grace {
			t.Errorf("killed after %v, want %v", d, spec.Grace)
		}
		<-ended
	})
}

func TestProcessThatDoesNotReadIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess()
		c, ended := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return p }))
		start := time.Now()
		f, ok := errors.AsType[*Failure](c.Write(t.Context(), request(t, ping)))
		if took := time.Since(start); !ok || f.Reason != ReasonDeaf || took < stallTimeout || took > stallTimeout+time.Second {
			t.Errorf("after %v: %v", took, f)
		}
		if f := <-ended; f.Reason != ReasonDeaf {
			t.Errorf("it ended as %+v", f)
		}
	})
}

// One that has closed its stdin will never answer, though it runs.
func TestProcessWithoutStdinIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess()
		c, ended := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return p }))
		p.In.Close()
		f, ok := errors.AsType[*Failure](c.Write(t.Context(), request(t, ping)))
		if !ok || f.Reason != ReasonDeaf || !strings.Contains(f.Text, "closed its stdin") {
			t.Errorf("got %v", f)
		}
		<-ended
	})
}

func TestProcessWithoutStdoutIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess()
		_, ended := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return p }))
		p.Out.Close()
		if f := <-ended; f.Reason != ReasonExited || !strings.Contains(f.Text, "closed its stdout") {
			t.Errorf("it ended as %+v", f)
		}
	})
}

func TestWriteGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mcptest.NewProcess()
		c, ended := run(t, t.Context(), newStarter(t, Limits{}), newSpec(func() process.Process { return p }))
		go c.Write(t.Context(), request(t, ping)) // which nobody reads
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Write(ctx, request(t, ping)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		c.Kill(&Failure{Text: "test"})
		<-ended
	})
}

func TestStartsAtATimeAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starting, over atomic.Int32
		s := newStarter(t, Limits{Starts: 3})
		spec := newSpec(func() process.Process {
			if starting.Add(1) > 3 {
				over.Add(1)
			}
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				time.Sleep(time.Second)
				starting.Add(-1)
				io.WriteString(out, ping+"\n") // its first message
				_, err := io.Copy(io.Discard, in)
				return err
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var all []<-chan *Failure
		for range 9 {
			_, ended := run(t, ctx, s, spec)
			all = append(all, ended)
		}
		if took := time.Since(start); over.Load() > 0 || took != 2*time.Second {
			t.Errorf("%d starts beyond three at a time; nine began within %v, want 2 s", over.Load(), took)
		}
		synctest.Wait()
		cancel()
		for _, ended := range all {
			<-ended
		}
	})
}

func TestProcessesAreStartedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarter(t, Limits{})
		var started []*mcptest.Process
		spec := newSpec(func() process.Process {
			p := mcptest.Run(func(in io.Reader, _ io.Writer) error {
				_, err := io.Copy(io.Discard, in)
				return err
			})
			started = append(started, p)
			return p
		})
		spec.Prewarm = 2
		s.Prewarm(spec)
		synctest.Wait()
		if len(started) != 2 {
			t.Fatalf("%d processes ahead, want 2", len(started))
		}
		started[0].Exit(errors.New("died while it waited"))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		_, ended := run(t, ctx, s, spec)
		time.Sleep(refillAfter)
		synctest.Wait()
		if len(started) != 4 {
			t.Errorf("%d processes in all, want 4: two were taken or have died", len(started))
		}
		cancel()
		<-ended
		select {
		case <-started[1].Gone():
		default:
			t.Error("it was not the one that was alive that was taken")
		}
		s.Close()
		for i, p := range started {
			select {
			case <-p.Gone():
			default:
				t.Errorf("process %d is left over", i)
			}
		}
		s.Prewarm(spec)
		synctest.Wait()
		if len(started) != 4 {
			t.Error("a process was started ahead after Close")
		}
	})
}

// While processes are taken faster than others start, more of them are started ahead, and none for long after.
func TestProcessesStartedAheadFollowArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStarter(t, Limits{})
		var mu sync.Mutex
		alive := map[*mcptest.Process]bool{}
		spec := newSpec(func() process.Process {
			p := mcptest.Run(func(in io.Reader, _ io.Writer) error {
				_, err := io.Copy(io.Discard, in)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			alive[p] = true
			return p
		})
		ready := func() int {
			synctest.Wait()
			return s.sparesOf(spec).count()
		}
		spec.Prewarm, spec.MostPrewarm = 1, 4
		s.Prewarm(spec)
		if n := ready(); n != 1 {
			t.Fatalf("at rest %d are ready, want 1", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var ended []<-chan *Failure
		for range 60 {
			_, end := run(t, ctx, s, spec)
			ended = append(ended, end)
			time.Sleep(500 * time.Millisecond)
		}
		if n := ready(); n != 4 {
			t.Errorf("at two a second %d are ready, want 4, which is the most", n)
		}
		time.Sleep(10 * demandFor)
		if n := ready(); n != 1 {
			t.Errorf("long after %d are ready, want 1", n)
		}
		cancel()
		for _, end := range ended {
			<-end
		}
	})
}

// What nobody has taken is given up when memory is short, and nothing is started ahead while it is.
func TestProcessesStartedAheadMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var short atomic.Bool
		s := newStarter(t, Limits{Room: func(server string) bool { return server == "fake" && !short.Load() }})
		var started atomic.Int32
		spec := newSpec(func() process.Process {
			started.Add(1)
			return mcptest.Run(func(in io.Reader, _ io.Writer) error {
				_, err := io.Copy(io.Discard, in)
				return err
			})
		})
		spec.Prewarm = 2
		s.Prewarm(spec)
		synctest.Wait()
		short.Store(true)
		for i := range 2 {
			if held := s.Holds(); !held {
				t.Errorf("%d: none is held", i)
			}
			if server, ok := s.Shed(); server != "fake" || !ok {
				t.Errorf("%d: %q, %v", i, server, ok)
			}
		}
		if _, ok := s.Shed(); ok || s.Holds() {
			t.Error("there is one more than were started")
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, ended := run(t, ctx, s, spec)
		time.Sleep(refillAfter)
		synctest.Wait()
		if n := started.Load(); n != 3 {
			t.Errorf("%d processes in all, want 3: none is started ahead while memory is short", n)
		}
		cancel()
		<-ended
	})
}
