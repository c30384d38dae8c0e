package session

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
)

// The idle ladder: an idle session keeps its process for Server.Hibernate, hibernates until
// Server.Idle, and is over then. Of one that hibernates nothing is left but a digest of its id, which
// says the rest; TakeOver wakes it.

// nextCheck is after how much more idleness than this a session must be looked at that is over when it
// has been idle for limit, and may hibernate before if it is sealed.
func (s *Server) nextCheck(limit, idle time.Duration, sealed bool) time.Duration {
	left := limit - idle
	if s.Hibernate > 0 && sealed {
		left = min(left, s.Hibernate)
	}
	return left
}

// onIdleTimerLocked ends the session if it has been idle for long enough, and lets it hibernate if it has
// been so for less; else it looks again later.
func (s *Session) onIdleTimerLocked(idle time.Duration) (again time.Duration, do func()) {
	switch {
	case s.why != nil:
		return 0, nil
	case idle >= s.idle:
		return 0, func() { s.Close("the session was idle for " + s.idle.String()) }
	case s.canHibernateLocked():
		return 0, func() { s.table.background(s.hibernate) }
	}
	return s.server.nextCheck(s.idle, idle, s.sealed != ""), nil
}

// canHibernateLocked reports whether the session has been idle for long enough to hibernate and its process
// has nothing that an id does not say: no request that it still works on, no log level and no
// subscriptions. A GET is a request inside, so that who listens keeps the process.
func (s *Session) canHibernateLocked() bool {
	since, idle := s.clock.IdleLocked()
	h := s.server.Hibernate
	return idle && h > 0 && s.sealed != "" && time.Since(since) >= h && len(s.router.pending) == 0 && s.handshake.stateless()
}

// hibernate lets the session hibernate, if another process may take it over.
func (s *Session) hibernate(ctx context.Context) {
	f := &child.Failure{Text: "the session hibernates", Reason: child.ReasonClosed, Retryable: true}
	fallAsleepLocked := func() bool { // unless it is wanted
		since, _ := s.clock.IdleLocked()
		sleepy := s.canHibernateLocked()
		if sleepy {
			s.table.tombstones.write(s.sealed, since.Add(s.idle), s.server.until(s.created))
		}
		return sleepy
	}
	if s.table.permissions.ask(ctx, s) && s.finish(f, fallAsleepLocked) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if since, idle := s.clock.IdleLocked(); idle && s.why == nil {
		s.clock.ArmLocked(s.server.nextCheck(s.idle, time.Since(since), true))
	}
}
