package child

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Limits bounds a Starter.
type Limits struct {
	Starts int             // processes starting at a time; zero means four times the processors
	Budget *message.Budget // of large messages of processes; nil means no limit

	// Room reports whether there is memory to start a process of a server ahead; nil means always.
	Room func(server string) bool
}

// A Starter starts processes. Its methods may be called from any goroutine.
type Starter struct {
	log     *slog.Logger
	secrets *secret.Redactor
	budget  *message.Budget
	slots   *startSlots
	room    func(server string) bool

	processes atomic.Int64 // that were started, ever

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // those who start processes ahead

	mu     sync.Mutex
	spares map[*Spec]*spares
	forks  []*Forks
	closed bool
}

// NewStarter returns a Starter. secrets, which may be nil, takes secrets out of what processes print. Close must be called.
func NewStarter(log *slog.Logger, secrets *secret.Redactor, limits Limits) *Starter {
	if limits.Starts == 0 {
		limits.Starts = 4 * runtime.GOMAXPROCS(0)
	}
	if limits.Room == nil {
		limits.Room = func(string) bool { return true }
	}
	s := &Starter{log: log, secrets: secrets, budget: limits.Budget, room: limits.Room, slots: newStartSlots(limits.Starts), spares: map[*Spec]*spares{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Start starts a process of spec for caller when there is a slot for it, or takes one that was started
// ahead. Run must follow; ctx is what ends the process. rec, which may be nil, hears of it.
//
// It fails with what a Failure can be made of by StartFailure, or with ctx's error.
func (s *Starter) Start(ctx context.Context, spec *Spec, caller any, log *slog.Logger, rec *watch.Recorder) (c *Child, err error) {
	OnOwnStack(func() { c, err = s.start(ctx, spec, caller, log, rec) })
	return c, err
}

func (s *Starter) start(ctx context.Context, spec *Spec, caller any, log *slog.Logger, rec *watch.Recorder) (*Child, error) {
	secrets := s.secretsOf(caller)
	c := &Child{
		ctx: ctx, grace: spec.Grace, log: log, secrets: secrets, rec: rec, noise: newLimiter(),
		answered: make(chan struct{}),
	}
	c.stall.made, c.stall.late = time.Now(), c.stalled
	if spare := s.sparesOf(spec).take(); spare != nil {
		c.running, c.slot = spare, new(startSlot)
	} else {
		slot, err := s.slots.acquire(ctx, spec.Name, spec.Runner)
		if err != nil {
			return nil, err
		}
		p, err := spec.Launch(ctx, caller)
		if err != nil {
			slot.release(false)
			return nil, err
		}
		c.late = time.AfterFunc(max(spec.StartTimeout, s.Patience(spec)), func() { slot.release(false) })
		c.running, c.slot = newRunning(p, log, secrets), slot
		if sp := s.sparesOf(spec); sp != nil {
			c.timed = sp.timed
		}
	}
	if made := time.Now(); spec.Answered != nil {
		c.onAnswer = func() { spec.Answered(caller, time.Since(made)) }
	}
	share := s.budget.Share(spec.Name, "process "+strconv.FormatInt(s.processes.Add(1), 10))
	c.pipes = framing.New(c.p, c.p, spec.Framing, spec.MaxMessage, &share, c.logNoise)
	if rec != nil {
		rec.Started(c.PID())
		c.stderr.record(rec)
	}
	log.Info("server started", "pid", c.PID())
	return c, nil
}

// Waiting is how many starts wait for others.
func (s *Starter) Waiting() int { return int(s.slots.waiting.Load()) }

// Patience is how long a start may go on after its caller has given up: while a package runner may be
// downloading.
func (s *Starter) Patience(spec *Spec) time.Duration {
	if s.slots.warm(spec.Runner) {
		return 0
	}
	return runnerTimeout
}

// runnerTimeout is how long a first download may go on.
const runnerTimeout = 10 * time.Minute

// Close ends the prewarmed processes that no session has taken, and starts no more of them. Those that
// someone has taken are theirs; of them it waits for those that were forked, as they end with what forked them.
func (s *Starter) Close() {
	s.mu.Lock()
	s.closed = true
	forks := s.forks
	s.mu.Unlock()
	all := s.allSpares()
	s.cancel()
	s.running.Wait()
	var ended sync.WaitGroup
	for _, sp := range all {
		sp.close(&ended)
	}
	ended.Wait()
	for _, f := range forks {
		ended.Go(f.close)
	}
	ended.Wait()
}

// background runs f, which Close waits for. It reports false, and does not, once Close was called.
func (s *Starter) background(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(f)
	}
	return !s.closed
}

// Redact takes secrets out of what a process of caller said.
func (s *Starter) Redact(caller any, text string) string { return s.secretsOf(caller).Redact(text) }
