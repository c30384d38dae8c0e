package pool

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/stream"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// ErrRetired says that a worker takes no more calls.
var ErrRetired = errors.New("the process accepts no more calls")

// A Worker is one process of a pool and the calls that are in flight on it. Its methods may be
// called from any goroutine.
//
// To its process we are a single client, so ids and tokens are ours (call.go).
type Worker struct {
	key     admission.Key
	server  *Server
	Caller  any    // with whom the process was started
	Alias   string // of the process in the log
	pools   *Pools
	pool    *pool
	probe   *verdict // that its first answer decides; nil if the era is known
	log     *slog.Logger
	rec     *watch.Recorder // nil for none
	streams *stream.Set     // of the calls
	ctx     context.Context // until the process has to end
	cancel  context.CancelFunc
	pid     atomic.Int64
	outbox  chan *message.Message // what the goroutine that reads has to say
	tools   *policy.Inventory     // of the process; nil without a policy
	aside   sync.WaitGroup        // who writes what the goroutine that reads must not wait for
	settled bool                  // it is known whether calls can be taken; of the goroutine that reads
	open    bool                  // it takes calls; guarded by Pools.mu
	mint    *mint                 // what it has issued refers to; guarded by Pools.mu

	mu      sync.Mutex
	clock   admission.Clock // of HTTP requests inside
	busy    int             // those that are no subscription
	retired bool            // it is in its pool no more, and ends when no caller uses it
	why     string          // it is retired
	child   *child.Child    // nil before the process can be talked to
	calls   map[int64]*Call // by the id that the process knows
	last    int64           // id that was given
	quiet   time.Time       // until then log messages may be of a call that was cancelled
	ended   bool            // no call is taken any more: it would not be answered
}

func newWorker(ps *Pools, p *pool, server *Server, caller Caller, probe *verdict) *Worker {
	key := caller.key(server)
	alias := ps.admission.Alias(key)
	w := &Worker{
		key: key, server: server, Caller: caller.Value, Alias: alias, pools: ps, pool: p, probe: probe,
		log:    ps.log.With("server", server.Name, "pool", alias),
		outbox: make(chan *message.Message, 16), calls: map[int64]*Call{}, tools: server.Policy.NewInventory(),
	}
	w.mint = &mint{w}
	w.streams = stream.NewSet(w.log)
	w.ctx, w.cancel = context.WithCancel(ps.ctx)
	w.clock = admission.NewClock(&w.mu, w.onIdleTimerLocked)
	w.clock.EnterLocked() // until it is settled: who starts is not idle
	return w
}

// enter counts a request in, unless the worker takes no more calls, as none in its pool does.
func (w *Worker) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.retired {
		return false
	}
	w.clock.EnterLocked()
	w.busy++
	return true
}

// load is how many requests are inside that are no subscription.
func (w *Worker) load() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy
}

// Leave says that a request is done.
func (w *Worker) Leave() {
	w.mu.Lock()
	w.busy--
	w.leaveLocked()
	w.mu.Unlock()
	w.pools.served(w.pool)
}

// leaveLocked counts one out, and settles the worker if no caller uses it.
func (w *Worker) leaveLocked() {
	switch last := w.clock.LeaveLocked(); {
	case last && w.retired:
		w.cancel()
	case last:
		w.clock.ArmLocked(w.server.Idle)
	}
}

// onIdleTimerLocked retires the worker if it has been idle for long enough.
func (w *Worker) onIdleTimerLocked(idle time.Duration) (again time.Duration, do func()) {
	if w.retired {
		return 0, nil
	}
	if left := w.server.Idle - idle; left > 0 {
		return left, nil
	}
	return 0, func() { w.Retire("it was idle for " + w.server.Idle.String()) }
}

// Idle reports since when the worker has been idle, if it is.
func (w *Worker) Idle() (since time.Time, idle, working bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, idle = w.clock.IdleLocked()
	return since, idle && !w.retired, false
}

// Evict retires the worker to make room.
func (w *Worker) Evict() {
	w.Retire("it was evicted for a newer process: it had been idle the longest")
}

// PID is the number of the process, or 0 without one.
func (w *Worker) PID() int { return int(w.pid.Load()) }

// OutOfMemory ends the process at once. Its calls are answered with the reason.
func (w *Worker) OutOfMemory(used int64) {
	if c := w.running(); c != nil {
		c.Kill(child.OutOfMemory(used))
	}
}

// running returns the process, or nil before it can be talked to.
func (w *Worker) running() *child.Child {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.child
}

// Retire makes the worker take no more calls, and ends it when it has none. Only the first call counts.
func (w *Worker) Retire(why string) {
	w.pools.withdraw(w)
	if w.retire(why) {
		w.pools.admission.Vacate(w)
	}
}

// retire notes why the worker is out of its pool, and reports whether that was not noted before.
func (w *Worker) retire(why string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.retired {
		return false
	}
	w.retired, w.why = true, why
	w.clock.StopLocked()
	if w.clock.InsideLocked() == 0 {
		w.cancel()
	}
	return true
}

// live runs the process from its start to its end.
func (w *Worker) live() {
	defer w.over()
	defer w.cancel()
	c, err := w.pools.starter.Start(w.ctx, w.server.Spec, w.Caller, w.log, w.rec)
	if err != nil {
		w.close()
		w.gone(w.pools.starter.StartFailure(w.Caller, err), false)
		return
	}
	w.pid.Store(int64(c.PID()))
	w.aside.Go(func() { w.writeOutbox(c) })
	died := false
	f := c.Run(func() {
		if w.discover(c) {
			for m, err := c.Read(); err == nil; m, err = c.Read() {
				if call := w.route(c, m); call != nil {
					w.hold(call)
				}
			}
		}
		died = w.ctx.Err() == nil
		w.close()
	})
	w.pid.Store(0)
	w.gone(f, died)
	close(w.outbox)
	w.aside.Wait()
}

// over lets go of all that the worker holds.
func (w *Worker) over() {
	child.CloseCaller(w.Caller)
	w.pools.forget(w)
	w.pools.admission.Remove(w)
	w.mu.Lock()
	why := w.why
	w.mu.Unlock()
	w.log.Info("pool process ended", "why", why)
	w.rec.Ended(why)
}

// discover asks the process for its era, and reports whether calls may be passed to it. Nothing
// else is said to a process before.
func (w *Worker) discover(c *child.Child) bool {
	stop := c.KillAfter(max(w.server.StartTimeout, w.pools.starter.Patience(w.server.Spec)), "server/discover")
	defer stop()
	request := message.Must([]byte(discover))
	defer request.Free()
	answer, err := c.Ask(request, (*message.Message).Free)
	if err != nil {
		return false
	}
	defer answer.Free()
	if modern(answer) || w.server.Era == ModernEra || w.server.Era == BothEras { // who writes that is believed
		if !w.check(c, answer) {
			return false
		}
		w.mu.Lock()
		w.child = c
		w.mu.Unlock()
		w.settle(nil)
		return true
	}
	if w.server.Known != nil {
		w.server.Known.Doubt(ErrLegacy.Error())
	}
	if w.probe == nil {
		w.pools.overturn(w.server)
	}
	w.settle(ErrLegacy)
	w.Retire(ErrLegacy.Error())
	w.cancel()
	return false
}

// check compares what the process answers with what is known of the server, and reports false if it is no
// more. A client that has listed tools without a process has heard of the headers of their arguments.
func (w *Worker) check(c *child.Child, discovered *message.Message) bool {
	known := w.server.Known
	if known == nil {
		return true
	}
	err := known.Check(discovered, func(m *message.Message) (*message.Message, error) {
		defer m.Free()
		return c.Ask(m, (*message.Message).Free)
	})
	for _, page := range known.Pages("tools/list") {
		w.learn(page)
	}
	return err == nil
}

// settle says whether calls can be taken: they can if err is nil. Only the first call counts.
func (w *Worker) settle(err error) {
	if w.settled {
		return
	}
	w.settled = true
	if w.probe != nil {
		err = w.conclude(err)
	}
	if err == nil {
		w.pools.opened(w)
	} else {
		w.pools.failed(w, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaveLocked()
}

// conclude settles the verdict that the process was to decide, and returns what its callers are told. Only
// an answer of the server decides it: silence and death may have any cause.
func (w *Worker) conclude(err error) error {
	failure, failed := errors.AsType[*child.Failure](err)
	switch {
	case err == nil || errors.Is(err, ErrLegacy):
		w.pools.decide(w.probe, err == nil)
		w.log.Info("era of a server", "modern", err == nil)
	case failed && failure.Reason != child.ReasonStart && failure.Reason != child.ReasonClosed:
		pause := w.pools.undecided(w.probe, failure)
		w.log.Warn("cannot find the era of a server", "why", failure.Text, "reason", failure.Reason, "stderr", failure.Stderr, "again_in", pause.String())
		return &UndecidedError{failure}
	default: // of the app, or of this caller's environment
		w.pools.abandon(w.server, w.probe)
	}
	return err
}

// close says that the process has said its last: calls go to others from now on.
func (w *Worker) close() {
	w.Retire("its process has ended")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// gone answers every call with f, for the process is no more. died says that it was not ended by us.
func (w *Worker) gone(f *child.Failure, died bool) {
	if w.running() == nil && w.server.Known != nil && w.pools.ctx.Err() == nil && !w.settled {
		w.server.Known.Doubt(f.Text)
	}
	unproven := w.probe != nil && w.running() == nil
	if died && !unproven {
		f.RestartsLeft = w.pools.died(w)
	}
	switch {
	case w.pools.ctx.Err() != nil:
		f = &child.Failure{Text: admission.ErrClosed.Error(), Reason: child.ReasonClosed, Retryable: true}
		w.settle(admission.ErrClosed)
	default:
		w.settle(f)
	}
	if died && !unproven {
		w.log.Warn("pool server died", "why", f.Text, "reason", f.Reason, "restarts_left", f.RestartsLeft)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	how := f.Outcome()
	for _, c := range w.calls {
		c.ours = &how
		w.finishLocked(c, f.Answer(c.id))
	}
}

// writeOutbox writes what the reading goroutine has to say, which must not wait for its process to read.
func (w *Worker) writeOutbox(c *child.Child) {
	for m := range w.outbox {
		c.Write(context.Background(), m)
		m.Free()
	}
}

// say queues one of our own messages. Too many of them are dropped: only a server that breaks the
// rules needs them.
func (w *Worker) say(text string) {
	m := message.Must([]byte(text))
	select {
	case w.outbox <- m:
	default:
		m.Free()
	}
}
