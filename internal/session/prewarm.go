package session

import (
	"context"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// spares are processes of one server that were started ahead and have been told nothing yet. They
// suit servers whose environment holds nothing of a caller.
type spares struct {
	t      *Table
	server *Server

	mu      sync.Mutex
	ready   []*spare
	filling bool
}

// A spare is a process that waits for its session.
type spare struct {
	p      process.Process
	stderr *complaints
	dead   chan struct{} // closed when it has ended by itself
}

// Prewarm keeps server.Prewarm processes started ahead, from now on and whenever one is taken.
func (t *Table) Prewarm(server *Server) {
	if sp := t.sparesOf(server); sp != nil {
		sp.fill(0)
	}
}

// sparesOf returns the spares of a server, or nil if it is to have none.
func (t *Table) sparesOf(server *Server) *spares {
	if server.Prewarm <= 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sp := t.spares[server]
	if sp == nil && !t.closed {
		sp = &spares{t: t, server: server}
		t.spares[server] = sp
	}
	return sp
}

// refillAfter is how long the next process waits that is started ahead: its start would take the
// processor from the session that has just begun.
const refillAfter = 100 * time.Millisecond

// take returns a process that is ready, or nil, and sees to the next.
func (sp *spares) take() *spare {
	if sp == nil {
		return nil
	}
	defer sp.fill(refillAfter)
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for len(sp.ready) > 0 {
		s := sp.ready[0]
		sp.ready = sp.ready[1:]
		select {
		case <-s.dead:
		default:
			return s
		}
	}
	return nil
}

// fill starts processes in the background, after a rest, until there are enough. What a package runner
// has not downloaded yet waits for a session that wants it.
func (sp *spares) fill(rest time.Duration) {
	if !sp.t.starts.warm(sp.server.Runner) {
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.filling {
		return
	}
	sp.filling = true
	sp.t.running.Go(func() {
		select {
		case <-time.After(rest):
		case <-sp.t.ctx.Done():
		}
		for sp.want() && sp.start() {
		}
	})
}

// want reports whether another one is wanted; if not, filling is over.
func (sp *spares) want() bool {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if len(sp.ready) < sp.server.Prewarm && sp.t.ctx.Err() == nil {
		return true
	}
	sp.filling = false
	return false
}

// start starts one. It reports false, and filling is over, if that fails: the next session will say
// why.
func (sp *spares) start() bool {
	s, err := sp.launch()
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if err != nil {
		sp.filling = false
		sp.t.log.Warn("cannot start a process ahead", "server", sp.server.Name, "error", err)
		return false
	}
	sp.ready = append(sp.ready, s)
	return true
}

func (sp *spares) launch() (*spare, error) {
	turn, err := sp.t.starts.wait(sp.t.ctx, sp.server.Runner)
	if err != nil {
		return nil, err
	}
	defer turn.done(true)
	p, err := sp.server.Launch(context.WithoutCancel(sp.t.ctx), nil)
	if err != nil {
		return nil, err
	}
	s := &spare{p: p, dead: make(chan struct{})}
	s.stderr = listen(p, sp.t.log.With("server", sp.server.Name, "session", "none yet"), sp.t.redact)
	go func() {
		p.Wait()
		close(s.dead)
	}()
	return s, nil
}

// close ends those that nobody took.
func (sp *spares) close(wg *sync.WaitGroup) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for _, s := range sp.ready {
		wg.Go(func() { process.Stop(s.p, s.dead, sp.server.Grace) })
	}
	sp.ready = nil
}
