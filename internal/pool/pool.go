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
	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/recent"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

const (
	maxCallsPerWorker = 8 // before a pool gets another worker

	// Of one caller at one server, answered or waiting: a process answers a few at a time. Where callers are not
	// told apart it is all of them. Subscriptions, of which every client has one, are counted apart.
	maxInFlight = 1024
)

// A Server says how the stateless requests to one server are served. It is not changed once it is in use.
type Server struct {
	*child.Spec
	admission.Limits
	Era     Era
	Known   Known          // what the server is known to answer; nil for nothing
	Workers int            // processes that the requests of one caller share, at most
	Idle    time.Duration  // after which an idle process ends
	Policy  *policy.Policy // what callers see and may use; nil for everything
}

// Known is what a server is known to answer without a process. Its methods may be called from any goroutine.
type Known interface {
	// Era is which protocol versions the server speaks; empty if that is not known.
	Era() string
	// Answer returns the answer to a request, with its id; nil if only a process knows it.
	Answer(request *message.Message, caller string) *message.Message
	// Check compares what a process answers with what is known: discovered to server/discover, and the
	// rest by ask, which takes the request over. It fails with ask's error.
	Check(discovered *message.Message, ask func(request *message.Message) (*message.Message, error)) error
	// Doubt says why a process could not be compared.
	Doubt(why string)
	// Pages returns the answers to a list.
	Pages(method string) [][]byte
}

// A Caller is the caller of a request.
type Caller struct {
	Principal string
	Client    string // the program that the principal uses; empty if it is not known
	Value     any    // for Spec.Launch; may be a child.Renewer and an io.Closer
}

func (c Caller) key(server *Server) admission.Key {
	return admission.Key{Server: server.Name, Principal: c.Principal, Client: c.Client}
}

// Pools are the processes that serve requests without a session. Their methods may be called from any
// goroutine.
type Pools struct {
	log       *slog.Logger
	starter   *child.Starter
	admission *admission.Controller
	watch     *watch.Hub // nil for none
	minters   Minters    // nil: no other instance has processes

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // the workers

	// mu may be held when the Controller is asked and a worker's mu is taken, never the other way round.
	mu      sync.Mutex
	pools   map[admission.Key]*pool // without ids
	workers map[*Worker]struct{}    // with a process, or on the way to one or from one
	eras    map[string]*verdict     // by Spec.ID
	refused int64
	closed  bool
}

// New returns Pools without a process. Close must be called. hub, which may be nil, hears what happens, and
// minters, which may be nil, too, tell other instances.
func New(log *slog.Logger, starter *child.Starter, controller *admission.Controller, hub *watch.Hub, minters Minters) *Pools {
	ps := &Pools{
		log: log, starter: starter, admission: controller, watch: hub, minters: minters,
		pools: map[admission.Key]*pool{}, workers: map[*Worker]struct{}{}, eras: map[string]*verdict{},
	}
	ps.ctx, ps.cancel = context.WithCancel(context.Background())
	return ps
}

// A pool is the processes that the requests of one caller to one server share. Requests of the
// modern era have nothing to do with each other (2026-07-28, basic, "Statelessness"), and callers
// are kept apart as in sessions. Its fields are guarded by Pools.mu.
type pool struct {
	workers  []*Worker // that take calls, or will
	queue    []*turn   // the longest wait first
	restarts child.RestartBudget
	tools    map[string][]ParamHeader
	states   recent.Map[digest, *mint] // requestStates, and who issued them
	arriving int                       // requests in Share

	subscriptions atomic.Int32 // not guarded
}

// busyLocked is an error if there are as many requests as there may be.
func (p *pool) busyLocked() error {
	n := p.arriving
	for _, w := range p.workers {
		n += w.load()
	}
	if n >= maxInFlight {
		return &admission.BusyError{What: "the caller", Limit: maxInFlight}
	}
	return nil
}

// arrive counts a request in until leave is called, if there may be one more.
func (ps *Pools) arrive(server *Server, caller Caller) (leave func(), err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.poolLocked(server, caller)
	if err := p.busyLocked(); err != nil {
		return nil, err
	}
	p.arriving++
	return func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		p.arriving--
	}, nil
}

// Share returns a process of the caller's pool, entered: Leave must follow. It is the one that has the
// least to do, or, if all have plenty and there is room for another one, the first that is free or ready.
//
// It fails with ErrLegacy, an *UndecidedError, an *admission.FullError, an *admission.BusyError, a *child.Failure, admission.ErrClosed or ctx's error.
func (ps *Pools) Share(ctx context.Context, server *Server, caller Caller) (*Worker, error) {
	leave, err := ps.arrive(server, caller)
	if err != nil {
		return nil, err
	}
	defer leave()
	probe, err := ps.proven(ctx, server)
	if err != nil {
		return nil, err
	}
	patience := server.StartTimeout
	late := error(child.StillStarting(patience))
	if probe != nil {
		patience = ps.patience(server, probe)
		late = &UndecidedError{child.StillStarting(patience)}
	}
	t, err := ps.queue(ctx, server, caller, probe)
	if err != nil {
		return nil, err
	}
	w, err := ps.await(ctx, t, patience, late)
	if probe != nil && err == late {
		ps.log.Warn("era of a server not known yet", "server", server.Name, "waited", patience.String())
	}
	return w, err
}

// queue returns a turn at the caller's pool, which has a process, or one that is on the way. probe, if there
// is one, is decided by the start of that one, or given up.
func (ps *Pools) queue(ctx context.Context, server *Server, caller Caller, probe *verdict) (*turn, error) {
	for {
		ps.admission.Measure()
		t, pause, victim, err := ps.enter(server, caller, probe)
		switch {
		case victim != nil:
			victim.Evict()
			continue
		case pause > 0:
			if err = pace.Wait(ctx, pause); err == nil {
				continue
			}
		}
		if probe != nil && (t == nil || !t.probes) {
			ps.abandon(server, probe)
		}
		return t, err
	}
}

// enter returns a turn, and starts another process if all have plenty to do. When no process runs and none
// may be started, it says how long to wait until one may, or which worker must end first.
func (ps *Pools) enter(server *Server, caller Caller, probe *verdict) (t *turn, pause time.Duration, victim admission.Tenant, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil, 0, nil, admission.ErrClosed
	}
	p := ps.poolLocked(server, caller)
	least, calls, starting := p.leastBusy()
	started := false
	crowded := least == nil || calls >= maxCallsPerWorker
	if crowded && len(p.queue) >= starting*maxCallsPerWorker && len(p.workers) < server.Workers {
		if pause, err = p.restarts.Wait(time.Now()); pause == 0 && err == nil {
			victim, err = ps.addWorkerLocked(p, server, caller, probe)
			started = victim == nil && err == nil
		}
		if _, full := errors.AsType[*admission.FullError](err); full && len(p.workers) == 0 {
			ps.refused++
		}
		if victim != nil || len(p.workers) == 0 { // else there is one, and it is better than none
			return nil, pause, victim, err
		}
	}
	t = &turn{pool: p, probes: started && probe != nil, given: make(chan struct{})}
	p.queue = append(p.queue, t)
	p.serveLocked()
	return t, 0, nil, nil
}

// addWorkerLocked starts another worker of p. Without room it returns the worker that must end first, or an error.
func (ps *Pools) addWorkerLocked(p *pool, server *Server, caller Caller, probe *verdict) (admission.Tenant, error) {
	w := newWorker(ps, p, server, caller, probe)
	if victim, err := ps.admission.Admit(w, w.key, server.Limits, true); victim != nil || err != nil {
		w.cancel()
		return victim, err
	}
	w.rec = ps.watch.Open(server.Name, w.Alias, true, child.SecretsOf(w.Caller))
	p.workers = append(p.workers, w)
	ps.workers[w] = struct{}{}
	ps.running.Go(w.live)
	return nil, nil
}

// poolLocked returns the pool of a caller, and creates it if needed.
func (ps *Pools) poolLocked(server *Server, caller Caller) *pool {
	key := caller.key(server)
	p := ps.pools[key]
	if p == nil {
		ps.sweepLocked()
		p = &pool{restarts: child.NewRestartBudget(server.Spec), states: recent.Map[digest, *mint]{Max: maxStates}}
		ps.pools[key] = p
	}
	return p
}

// sweepLocked forgets pools that have neither a process nor a death to remember.
func (ps *Pools) sweepLocked() {
	now := time.Now()
	for key, p := range ps.pools {
		if len(p.workers) == 0 && len(p.queue) == 0 && p.arriving == 0 && p.restarts.Untouched(now) {
			delete(ps.pools, key)
		}
	}
}

// withdraw takes w out of its pool, which gives it no more calls.
func (ps *Pools) withdraw(w *Worker) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	w.pool.remove(w)
}

// died takes the death of w from the budget of its pool, and returns how many more there may be.
func (ps *Pools) died(w *Worker) (left int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	_, left, _ = w.pool.restarts.Died(time.Now())
	return left
}

// forget says that the process of w is gone.
func (ps *Pools) forget(w *Worker) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.workers, w)
	w.mint.w = nil
}

// Refuse makes Share fail with admission.ErrClosed from now on, and ends subscriptions, which have no end
// of their own, because the app will end soon.
func (ps *Pools) Refuse() {
	for _, w := range ps.refuse() {
		w.endSubscriptions()
	}
}

func (ps *Pools) refuse() []*Worker {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.closed = true
	workers := make([]*Worker, 0, len(ps.workers))
	for w := range ps.workers {
		workers = append(workers, w)
	}
	return workers
}

// Close ends all processes, in parallel, and returns when they are gone. None starts from then on.
func (ps *Pools) Close() {
	ps.Refuse()
	ps.cancel()
	ps.running.Wait()
}

// Refused is how often Share has failed for want of room.
func (ps *Pools) Refused() int64 {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.refused
}
