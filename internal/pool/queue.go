package pool

import (
	"context"
	"slices"
	"time"
)

// A turn is a request that waits for a process of its caller's pool: for one that becomes free, or for
// the first that is ready. Its result is set before given is closed.
type turn struct {
	pool   *pool
	probes bool // the process that was started for it decides the era of the server
	given  chan struct{}
	w      *Worker // entered
	err    error
}

func (t *turn) give(w *Worker, err error) {
	t.w, t.err = w, err
	close(t.given)
}

// leastBusy returns the worker that takes calls and has the fewest, or nil, with how many that is and how
// many workers are on the way. Subscriptions do not count: they wait.
func (p *pool) leastBusy() (least *Worker, calls, starting int) {
	for _, w := range p.workers {
		if !w.open {
			starting++
		} else if n := w.load(); least == nil || n < calls {
			least, calls = w, n
		}
	}
	return least, calls, starting
}

// serveLocked gives those who wait the process that has the least to do. Only while another one is on the
// way they wait longer, if all have plenty.
func (p *pool) serveLocked() {
	for len(p.queue) > 0 {
		w, calls, starting := p.leastBusy()
		if w == nil || calls >= maxCallsPerWorker && starting > 0 {
			return
		}
		w.enter()
		p.queue[0].give(w, nil)
		p.queue = p.queue[1:]
	}
}

// served says that a process of p has less to do.
func (ps *Pools) served(p *pool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p.serveLocked()
}

// opened says that w takes calls.
func (ps *Pools) opened(w *Worker) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	w.open = true
	w.pool.serveLocked()
}

// failed says that w will never take calls. Who has no other process to wait for is told why.
func (ps *Pools) failed(w *Worker, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := w.pool
	p.remove(w)
	if len(p.workers) > 0 {
		p.serveLocked()
		return
	}
	for _, t := range p.queue {
		t.give(nil, err)
	}
	p.queue = nil
}

func (p *pool) remove(w *Worker) {
	p.workers = slices.DeleteFunc(p.workers, func(other *Worker) bool { return other == w })
}

// await returns the process that t is given. After patience it is any that takes calls, however busy, or
// none exists: then late is returned.
func (ps *Pools) await(ctx context.Context, t *turn, patience time.Duration, late error) (*Worker, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.given:
		return t.w, t.err
	case <-timer.C:
		ps.leaveQueue(t, late, true)
	case <-ctx.Done():
		ps.leaveQueue(t, context.Cause(ctx), false)
	}
	<-t.given
	if ctx.Err() != nil && t.w != nil {
		t.w.Leave()
		return nil, context.Cause(ctx)
	}
	return t.w, t.err
}

// leaveQueue gives t err, unless it has been given something; with busy, before that, a process that has
// plenty to do.
func (ps *Pools) leaveQueue(t *turn, err error, busy bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	i := slices.Index(t.pool.queue, t)
	if i < 0 {
		return
	}
	t.pool.queue = slices.Delete(t.pool.queue, i, i+1)
	if least, _, _ := t.pool.leastBusy(); busy && least != nil {
		least.enter()
		t.give(least, nil)
		return
	}
	t.give(nil, err)
}
