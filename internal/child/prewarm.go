package child

import (
	"context"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// spares are processes of one server that were started ahead and have been told nothing yet. They
// suit servers whose environment holds nothing of a caller.
type spares struct {
	starter *Starter
	spec    *Spec

	mu       sync.Mutex
	ready    []*running
	filling  bool
	trimming bool
	demand   demand
}

// Prewarm keeps spec.Prewarm processes started ahead, from now on and whenever one is taken; more of them, up
// to spec.MostPrewarm, while they are taken faster than others start.
func (s *Starter) Prewarm(spec *Spec) {
	if sp := s.sparesOf(spec); sp != nil {
		sp.fill(0)
	}
}

// sparesOf returns the spares of spec, or nil if it is to have none.
func (s *Starter) sparesOf(spec *Spec) *spares {
	if spec.Prewarm <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.spares[spec]
	if sp == nil && !s.closed {
		sp = &spares{starter: s, spec: spec}
		s.spares[spec] = sp
	}
	return sp
}

// refillAfter is how long the next process waits that is started ahead: its start would take the
// processor from the session that has just begun.
const refillAfter = 100 * time.Millisecond

// take returns a process that is ready, or nil, and sees to the next.
func (sp *spares) take() *running {
	if sp == nil {
		return nil
	}
	defer sp.fill(refillAfter)
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.demand.came(time.Now())
	sp.trimLocked()
	for len(sp.ready) > 0 {
		s := sp.ready[0]
		sp.ready = sp.ready[1:]
		select {
		case <-s.gone:
		default:
			return s
		}
	}
	return nil
}

// fill starts processes in the background, after a pause, until there are enough. What a package runner
// has not downloaded yet waits for a session that wants it.
func (sp *spares) fill(pause time.Duration) {
	if !sp.starter.slots.warm(sp.spec.Runner) {
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.filling {
		return
	}
	sp.filling = sp.starter.background(func() {
		_ = pace.Wait(sp.starter.ctx, pause)
		for sp.wantMore() {
			if !sp.starter.room(sp.spec.Name) || !sp.start() {
				sp.stopFilling() // until one is taken
				return
			}
		}
	})
}

// wantMore reports whether another one is wanted; if not, filling is over.
func (sp *spares) wantMore() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if len(sp.ready) < sp.wantedLocked() && sp.starter.ctx.Err() == nil {
		return true
	}
	sp.filling = false
	return false
}

// wantedLocked is how many are to be ready now.
func (sp *spares) wantedLocked() int {
	return max(sp.spec.Prewarm, min(sp.spec.Prewarm+sp.demand.during(time.Now()), sp.spec.MostPrewarm))
}

func (sp *spares) stopFilling() {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.filling = false
}

// timed notes how long a process has taken from its start to its first message.
func (sp *spares) timed(since time.Time) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.demand.took(time.Since(since))
}

// trimLocked ends, in a while, those that are more than are wanted then, and again until none is left.
func (sp *spares) trimLocked() {
	if sp.trimming || sp.spec.MostPrewarm <= sp.spec.Prewarm {
		return
	}
	sp.trimming = sp.starter.background(func() {
		tick := time.NewTicker(demandFor)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-sp.starter.ctx.Done():
				return
			}
			excess, calm := sp.excess()
			for _, s := range excess {
				process.Stop(s.p, s.gone, sp.spec.Grace)
			}
			if calm {
				return
			}
		}
	})
}

// excess takes out those that are more than are wanted. calm says that no more can be, and trimming is over.
func (sp *spares) excess() (excess []*running, calm bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	wanted := sp.wantedLocked()
	if len(sp.ready) > wanted {
		excess = append(excess, sp.ready[wanted:]...)
		sp.ready = sp.ready[:wanted]
	}
	calm = wanted <= sp.spec.Prewarm
	sp.trimming = !calm
	return excess, calm
}

// start starts one. It reports false if that fails: the next session will say why.
func (sp *spares) start() bool {
	s, err := sp.launch()
	if err != nil {
		sp.starter.log.Warn("cannot prewarm a process", "server", sp.spec.Name, "error", err)
		return false
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.ready = append(sp.ready, s)
	return true
}

func (sp *spares) launch() (*running, error) {
	slot, err := sp.starter.slots.acquire(sp.starter.ctx, sp.spec.Name, sp.spec.Runner)
	if err != nil {
		return nil, err
	}
	defer slot.release(true)
	p, err := sp.spec.Launch(context.WithoutCancel(sp.starter.ctx), nil)
	if err != nil {
		return nil, err
	}
	s := newRunning(p, sp.starter.log.With("server", sp.spec.Name, "session", "none yet"), sp.starter.secrets)
	s.await() // it may end before a session takes it
	return s, nil
}

// close ends those that no session took.
func (sp *spares) close(wg *sync.WaitGroup) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for _, s := range sp.ready {
		wg.Go(func() { process.Stop(s.p, s.gone, sp.spec.Grace) })
	}
	sp.ready = nil
}
