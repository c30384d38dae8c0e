package session

import (
	"context"
	"time"
)

// The idle ladder: a session that nobody uses keeps its process for Server.Hibernate, sleeps until
// Server.Idle, and is over then. Of one that sleeps nothing is left but a digest of its id, which
// says the rest; Resurrect wakes it.

// look sets the clock to when the session must be looked at next. mu is held, and nobody is inside.
func (s *Session) look() {
	rest := s.idle - time.Since(s.left)
	if h := s.server.Hibernate; h > 0 && s.known != s.Key {
		rest = min(rest, h)
	}
	s.clock = time.AfterFunc(rest, s.tick)
}

// tick ends the session if it has been idle for long enough, and lets it sleep if it has been so for
// less; else it looks again later.
func (s *Session) tick() {
	s.mu.Lock()
	s.clock = nil
	if s.active > 0 || s.why != nil {
		s.mu.Unlock()
		return // Leave sets the clock again
	}
	idle := time.Since(s.left)
	if idle >= s.idle {
		s.mu.Unlock()
		s.Close("the session was idle for " + s.idle.String())
		return
	}
	drowsy := s.drowsy()
	if !drowsy {
		s.look()
	}
	s.mu.Unlock()
	if !drowsy {
		return
	}
	t := s.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.running.Go(func() { s.hibernate(t.ctx) })
	}
}

// drowsy reports whether the session has been idle for long enough to sleep and its process has
// nothing that an id does not say: no request that it still works on, no log level and no
// subscriptions. A GET is a request inside, so that who listens keeps the process. mu is held.
func (s *Session) drowsy() bool {
	h := s.server.Hibernate
	return h > 0 && s.known != s.Key && s.active == 0 && time.Since(s.left) >= h &&
		len(s.x.slips) == 0 && s.shake.level == "" && len(s.shake.subscriptions) == 0
}

// hibernate lets the session sleep, if another process may take it over.
func (s *Session) hibernate(ctx context.Context) {
	if s.askLeave(ctx) && s.finish(&Failure{Text: "the session sleeps", Reason: ReasonClosed, Retryable: true}, s.fallAsleep) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active == 0 && s.why == nil && s.clock == nil {
		s.look()
	}
}

// fallAsleep writes down that the session sleeps, unless it is wanted. mu is held.
func (s *Session) fallAsleep() bool {
	if !s.drowsy() {
		return false
	}
	s.table.past.write(s.known.ID, s.left.Add(s.idle), s.server.until(s.created))
	return true
}
