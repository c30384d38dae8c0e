package session

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
)

// Abandon ends a session that its client cannot use, since it never learned its id or had an error for an
// answer to initialize. It does not wait for that. The first start of a package runner is not thrown away:
// it goes on, and the next session finds what it downloaded.
func (s *Session) Abandon(why string) {
	f := &child.Failure{Text: why, Reason: child.ReasonClosed}
	if goesOn(s) == 0 {
		s.end(f)
		return
	}
	s.table.background(func(context.Context) { s.abandon(f) })
}

// abandon is Abandon for any reason. It returns when the session has ended.
func (s *Session) abandon(f *child.Failure) {
	s.mu.Lock()
	s.router.failAll(f)
	unlock(s)
	if patience := goesOn(s); patience > 0 {
		s.table.forget(s)
		s.log.Info("first start continues without its client")
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		if l, err := s.awaitLink(ctx); err == nil { // where we initialize it, it has answered us then
			select {
			case <-l.Answered():
			case <-l.Gone():
			case <-ctx.Done():
			}
		}
		cancel()
	}
	s.end(f)
}

// goesOn is how long the process of s may go on without a client. One that has not been started
// yet, since it waits for another's download, would have no client.
func goesOn(s *Session) time.Duration {
	if !s.started.Load() {
		return 0
	}
	return s.table.starter.Patience(s.server.Spec)
}
