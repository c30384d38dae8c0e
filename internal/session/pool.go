package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	poolSize = 4           // processes of a pool, if Server.Shared does not say
	crowd    = 8           // calls on each process of a pool before it gets another
	restTime = time.Minute // of a pool whose processes died more often than they may
)

// pools are the processes that serve requests without a session. Its fields, and those of pool, are
// guarded by mu, which may be taken while the Table's is held, never the other way round.
type pools struct {
	mu      sync.Mutex
	of      map[Key]*pool // by server and principal
	workers map[*Worker]struct{}
	eras    map[string]*verdict // by Server.identity
	closed  bool
}

func newPools() pools {
	return pools{of: map[Key]*pool{}, workers: map[*Worker]struct{}{}, eras: map[string]*verdict{}}
}

// A pool is the processes that the requests of one caller to one server share. Requests of the
// modern era have nothing to do with each other (2026-07-28, basic, "Statelessness"), and callers
// are kept apart as in sessions.
type pool struct {
	workers   []*Worker // that take calls, or will
	crashes   []time.Time
	notBefore time.Time // of the next start
	tools     map[string][]ParamHeader
}

// Share returns the process of the caller's pool that has the least to do, entered: Leave must
// follow. It starts one if there is none, or if all have plenty to do and there is room.
//
// It fails with ErrLegacy, a *FullError, a *Failure, ErrClosed or ctx's error.
func (t *Table) Share(ctx context.Context, o Opening) (*Worker, error) {
	patience := o.Server.StartTimeout
	probe, err := t.proven(ctx, o.Server)
	if err != nil {
		return nil, err
	}
	if probe != nil {
		patience = probeTimeout
	}
	w, err := t.hire(ctx, o, probe)
	if err != nil {
		return nil, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.ready:
		err = w.err
	case <-late.C:
		err = &Failure{
			Text:   "the server is still being started after " + patience.String() + "; try again soon",
			Reason: ReasonTimeout, Retryable: true,
		}
		if probe != nil {
			err = ErrLegacy
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		w.Leave()
		return nil, err
	}
	return w, nil
}

// hire returns a worker for o, entered: one that is there or a new one. probe, if there is one, is
// decided by the new one's start, or given up.
func (t *Table) hire(ctx context.Context, o Opening, probe *verdict) (*Worker, error) {
	key := Key{Server: o.Server.Name, Principal: o.Principal, Client: o.Client}
	for {
		w, pause, err := t.pools.enter(key, o.Server)
		if w == nil && pause == 0 && err == nil {
			var evict *Session
			w, evict, err = t.employ(key, o, probe, t.memory.fits(o.Server.Name, t.pids))
			if evict != nil {
				t.count.evicted.Add(1)
				evict.Close("there was no room for a newer process, and it was idle the longest")
				continue
			}
		}
		if pause > 0 {
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if probe != nil && (w == nil || w.probe != probe) {
			t.pools.undecided(o.Server, probe)
		}
		return w, err
	}
}

// enter returns the worker under key that has the least to do, entered, unless another is wanted:
// then it returns none, and how long to wait before.
func (ps *pools) enter(key Key, server *Server) (w *Worker, pause time.Duration, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil, 0, ErrClosed
	}
	p := ps.of[key]
	if p == nil {
		return nil, 0, nil
	}
	w = p.idlest()
	if w != nil && (w.busy < crowd || len(p.workers) >= server.shared()) {
		w.enter()
		return w, 0, nil
	}
	pause, err = p.rest(server, time.Now())
	if w != nil && (pause > 0 || err != nil) {
		w.enter()
		return w, 0, nil
	}
	return nil, pause, err
}

// employ starts another worker under key if there is still none that can take the call, and returns
// one entered. Without room it returns a session that has to end first, or a *FullError.
func (t *Table) employ(key Key, o Opening, probe *verdict, fits bool) (w *Worker, evict *Session, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, ErrClosed
	}
	ps := &t.pools
	p, least := ps.make(key)
	if least != nil {
		return least, nil, nil
	}
	if evict, err = t.room(key, o.Server, fits); evict != nil {
		return nil, evict, nil
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if err != nil {
		if least = p.idlest(); least != nil { // crowded, and better than none
			least.enter()
			return least, nil, nil
		}
		t.count.refused.Add(1)
		return nil, nil, err
	}
	w = newWorker(t, p, key, o, probe)
	p.workers = append(p.workers, w)
	ps.workers[w] = struct{}{}
	w.enter()
	t.memory.opened(o.Server.Name)
	t.running.Go(w.live)
	return w, nil, nil
}

// make returns the pool of key, and a worker of it, entered, if one can take another call.
func (ps *pools) make(key Key) (*pool, *Worker) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.of[key]
	if p == nil {
		ps.sweep()
		p = &pool{}
		ps.of[key] = p
	}
	w := p.idlest()
	if w == nil || w.busy >= crowd {
		return p, nil
	}
	w.enter()
	return p, w
}

// shared is how many processes a pool may have.
func (s *Server) shared() int {
	if s.Shared > 0 {
		return s.Shared
	}
	return poolSize
}

// idlest returns the worker with the fewest calls, or nil. Subscriptions do not count: they wait.
func (p *pool) idlest() (least *Worker) {
	for _, w := range p.workers {
		if least == nil || w.busy < least.busy {
			least = w
		}
	}
	return least
}

// rest says how long the next start has to wait because of processes that died, or a *Failure if
// that is too long for a caller.
func (p *pool) rest(server *Server, now time.Time) (time.Duration, error) {
	p.forget(now)
	pause := p.notBefore.Sub(now)
	if len(p.crashes) <= server.restarts() {
		return max(0, pause), nil
	}
	if pause <= 0 {
		return 0, nil
	}
	return 0, &Failure{
		Text: fmt.Sprintf("the server died %d times within %v and is started again in %v",
			len(p.crashes), restartWindow, pause.Round(time.Second)),
		Reason: ReasonExited, Retryable: true,
	}
}

// crashed notes that a process died, and returns how many more may.
func (p *pool) crashed(server *Server, now time.Time) (left int) {
	p.forget(now)
	p.crashes = append(p.crashes, now)
	if left = server.restarts() - len(p.crashes); left < 0 {
		p.notBefore = now.Add(restTime)
		return 0
	}
	p.notBefore = now.Add(backOff(len(p.crashes)))
	return left
}

func (p *pool) forget(now time.Time) {
	p.crashes = slices.DeleteFunc(p.crashes, func(at time.Time) bool { return now.Sub(at) > restartWindow })
}

func (s *Server) restarts() int {
	if !s.Restart {
		return 0
	}
	return s.MaxRestarts
}

// sweep forgets pools that have neither a process nor a crash to remember. mu is held.
func (ps *pools) sweep() {
	now := time.Now()
	for key, p := range ps.of {
		if p.forget(now); len(p.workers) == 0 && len(p.crashes) == 0 {
			delete(ps.of, key)
		}
	}
}

// leaveRoom ends the worker that has been idle the longest among those that of names, and reports
// whether there was one.
func (ps *pools) leaveRoom(of func(Key) bool) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var oldest *Worker
	for w := range ps.workers {
		if !w.retired && w.inside == 0 && of(w.Key) && (oldest == nil || w.left.Before(oldest.left)) {
			oldest = w
		}
	}
	if oldest == nil {
		return false
	}
	oldest.retire("there was no room for a newer process, and it was idle the longest")
	return true
}

// count is the number of workers among those that of names.
func (ps *pools) count(of func(Key) bool) (n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for w := range ps.workers {
		if !w.retired && of(w.Key) {
			n++
		}
	}
	return n
}

// pids adds the processes that are alive, by server.
func (ps *pools) pids(pids map[string][]int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for w := range ps.workers {
		if pid := int(w.pid.Load()); pid > 0 {
			pids[w.Server] = append(pids[w.Server], pid)
		}
	}
}

// ends adds what ends each process that is alive, by process id.
func (ps *pools) ends(ends map[int]func(*Failure)) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for w := range ps.workers {
		if pid := int(w.pid.Load()); pid > 0 {
			ends[pid] = w.kill
		}
	}
}

// dismiss takes no more calls and ends all subscriptions, because the app will end soon.
func (ps *pools) dismiss() {
	ps.mu.Lock()
	ps.closed = true
	workers := make([]*Worker, 0, len(ps.workers))
	for w := range ps.workers {
		workers = append(workers, w)
	}
	ps.mu.Unlock()
	for _, w := range workers {
		w.endSubscriptions()
	}
}

// alive is the number of processes.
func (ps *pools) alive() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return len(ps.workers)
}
