package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A Worker is one process of a pool and the calls that are in flight on it. Its methods may be
// called from any goroutine.
//
// To its process we are a single client, so ids and tokens are ours (poolcall.go).
type Worker struct {
	Key
	server *Server
	caller any
	table  *Table
	pool   *pool
	probe  *verdict // that its first answer decides; nil if the era is known
	log    *slog.Logger
	rec    *watch.Recorder // nil for none
	ctx    context.Context // until the process has to end
	cancel context.CancelFunc
	pid    atomic.Int64
	outbox chan *message.Message // what the goroutine that reads has to say
	ready  chan struct{}         // closed once it is known whether calls can be taken
	err    error                 // why not; set before ready is closed

	// Guarded by pools.mu.
	inside  int    // HTTP requests
	busy    int    // those that are no subscription
	retired bool   // takes no more calls
	why     string // it does not
	left    time.Time
	clock   *time.Timer // of the idle end; nil while it is not set

	mu    sync.Mutex
	run   *run            // nil before the process can be talked to
	calls map[int64]*Call // by the id that the process knows
	last  int64           // id that was given
	quiet time.Time       // until then log messages may be of a call that was cancelled
	ended bool            // no call is taken any more: it would not be answered
}

func newWorker(t *Table, p *pool, key Key, o Opening, probe *verdict) *Worker {
	alias := t.alias(key)
	w := &Worker{
		Key: key, server: o.Server, caller: o.Caller, table: t, pool: p, probe: probe,
		log: t.log.With("server", key.Server, "pool", alias), rec: t.limits.Watch.Open(key.Server, alias, true),
		outbox: make(chan *message.Message, 16), ready: make(chan struct{}), calls: map[int64]*Call{},
	}
	w.ctx, w.cancel = context.WithCancel(t.ctx)
	return w
}

// Caller returns the value with which the process was started.
func (w *Worker) Caller() any { return w.caller }

// Renew tells the worker's caller of a later request of the same principal.
func (w *Worker) Renew(later any) {
	if r, ok := w.caller.(Renewer); ok && later != w.caller {
		r.Renew(later)
	}
}

// enter counts a request in. pools.mu is held.
func (w *Worker) enter() {
	w.inside++
	w.busy++
}

// Leave says that a request is done.
func (w *Worker) Leave() {
	w.table.pools.mu.Lock()
	defer w.table.pools.mu.Unlock()
	w.inside--
	w.busy--
	if w.inside > 0 {
		return
	}
	if w.left = time.Now(); w.retired {
		w.cancel()
	} else if w.clock == nil {
		w.clock = time.AfterFunc(w.server.Idle, w.tick)
	}
}

// waits says that a request inside is a subscription, or is one no more: n is -1 or 1.
func (w *Worker) waits(n int) {
	w.table.pools.mu.Lock()
	defer w.table.pools.mu.Unlock()
	w.busy += n
}

// tick ends the process if it has been idle for long enough, else looks again when it may be.
func (w *Worker) tick() {
	w.table.pools.mu.Lock()
	defer w.table.pools.mu.Unlock()
	w.clock = nil
	if w.inside > 0 || w.retired {
		return // Leave sets the clock again
	}
	if rest := w.server.Idle - time.Since(w.left); rest > 0 {
		w.clock = time.AfterFunc(rest, w.tick)
		return
	}
	w.retire("it was idle for " + w.server.Idle.String())
}

// Retire makes the worker take no more calls, and ends it when it has none.
func (w *Worker) Retire(why string) {
	w.table.pools.mu.Lock()
	defer w.table.pools.mu.Unlock()
	w.retire(why)
}

// retire is Retire. pools.mu is held.
func (w *Worker) retire(why string) {
	if w.retired {
		return
	}
	w.retired, w.why = true, why
	w.pool.workers = slices.DeleteFunc(w.pool.workers, func(other *Worker) bool { return other == w })
	if w.clock != nil {
		w.clock.Stop()
	}
	if w.inside == 0 {
		w.cancel()
	}
}

// kill ends the process at once. Its calls are answered with f.
func (w *Worker) kill(f *Failure) {
	w.mu.Lock()
	r := w.run
	w.mu.Unlock()
	if r != nil {
		r.ended.CompareAndSwap(nil, f)
		r.p.Kill()
	}
}

// live runs the process from its start to its end.
func (w *Worker) live() {
	defer func() {
		if c, ok := w.caller.(io.Closer); ok {
			c.Close()
		}
		w.table.pools.mu.Lock()
		delete(w.table.pools.workers, w)
		why := w.why
		w.table.pools.mu.Unlock()
		w.log.Info("process of a pool ended", "why", why)
		w.rec.Ended(why)
	}()
	defer w.cancel()
	r, err := w.table.start(w.ctx, w.server, w.caller, w.log)
	if err != nil {
		w.close()
		w.gone(startFailure(err), false)
		return
	}
	w.pid.Store(int64(r.pid()))
	r.watched(w.rec)
	stopped := make(chan struct{})
	inTime := context.AfterFunc(w.ctx, func() {
		defer close(stopped)
		process.Stop(r.p, r.gone, w.server.Grace)
	})
	var speaking sync.WaitGroup
	speaking.Go(func() { w.speak(r) })
	if w.discover(r) {
		for m, err := r.read(); err == nil; m, err = r.read() {
			if c := w.route(r, m); c != nil {
				w.hold(c)
			}
		}
	}
	died := w.ctx.Err() == nil
	w.close()
	r.await(w.ctx)
	if !inTime() {
		<-stopped
	}
	w.pid.Store(0)
	w.gone(r.failure(), died)
	close(w.outbox)
	speaking.Wait()
}

// discover asks the process for its era, and reports whether calls may be passed to it. Nothing
// else is said to a process before.
func (w *Worker) discover(r *run) bool {
	limit := w.server.StartTimeout
	if w.probe != nil {
		limit = probeTimeout
	}
	if !w.table.starts.warm(w.server.Runner) {
		limit = max(limit, runnerTimeout)
	}
	clock := time.AfterFunc(limit, func() {
		r.ended.CompareAndSwap(nil, &Failure{
			Text:   "the server did not answer server/discover within " + limit.String(),
			Reason: ReasonTimeout, Retryable: true, Hint: "raise timeout_seconds",
		})
		r.p.Kill()
	})
	defer clock.Stop()
	ask, _ := message.Parse([]byte(discover))
	defer ask.Free()
	if r.write(w.ctx, ask) != nil {
		return false
	}
	for {
		m, err := r.read()
		if err != nil {
			return false
		}
		if m.Kind() != message.Response || string(m.Envelope().ID()) != "0" {
			m.Free()
			continue
		}
		speaks := modern(m)
		m.Free()
		if speaks || w.server.Era == ModernEra || w.server.Era == BothEras { // who writes that is believed
			w.mu.Lock()
			w.run = r
			w.mu.Unlock()
			w.settle(nil, true)
			return true
		}
		if w.probe == nil {
			w.table.pools.overturn(w.server)
		}
		w.settle(ErrLegacy, false)
		w.Retire(ErrLegacy.Error())
		w.cancel()
		return false
	}
}

// settle says whether calls can be taken. Only the first call counts.
func (w *Worker) settle(err error, modern bool) {
	select {
	case <-w.ready:
		return
	default:
	}
	w.err = err
	if w.probe != nil {
		if err == nil || errors.Is(err, ErrLegacy) {
			w.table.pools.decide(w.server, w.probe, modern)
			w.log.Info("era of a server", "modern", modern)
		} else {
			w.table.pools.undecided(w.server, w.probe)
		}
	}
	close(w.ready)
}

// close says that the process has said its last: calls go to others from now on.
func (w *Worker) close() {
	w.Retire("its process has ended")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// gone answers every call with f, for the process is no more. died says that it was not ended by us.
func (w *Worker) gone(f *Failure, died bool) {
	w.mu.Lock()
	unproven := w.probe != nil && w.run == nil
	w.mu.Unlock()
	ps := &w.table.pools
	ps.mu.Lock()
	if died && !unproven {
		f.RestartsLeft = w.pool.crashed(w.server, time.Now())
	}
	ps.mu.Unlock()
	switch {
	case w.table.ctx.Err() != nil:
		f = &Failure{Text: ErrClosed.Error(), Reason: ReasonClosed, Retryable: true}
		w.settle(ErrClosed, false)
	case died && unproven:
		w.settle(ErrLegacy, false) // there are servers that exit when they are asked anything but initialize
	default:
		w.settle(f, false)
	}
	if died && !unproven {
		w.log.Warn("server of a pool died", "why", f.Text, "reason", f.Reason, "restarts_left", f.RestartsLeft)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		w.finish(c, f.Answer(c.id))
	}
}
