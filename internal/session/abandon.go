package session

import (
	"context"

	"github.com/mcpfunc/mcpfunc/internal/child"
)

// Abandon ends a session whose id its client never learned. The first start of a package runner is
// not thrown away: it goes on, and the next session finds what it downloaded.
func (s *Session) Abandon() {
	s.abandon(&child.Failure{Text: "the client went away before it learned the session's id", Reason: child.ReasonClosed})
}

func (s *Session) abandon(f *child.Failure) {
	s.mu.Lock()
	s.router.failAll(f)
	s.mu.Unlock()
	if patience := s.table.starter.Patience(s.server.Spec); patience > 0 {
		s.table.forget(s)
		s.log.Info("the first start goes on without its client")
		ctx, cancel := context.WithTimeout(s.ctx, patience)
		if l, err := s.awaitLink(ctx); err == nil { // where we initialize it, it has answered us then
			l.awaitAnswer(ctx)
		}
		cancel()
	}
	s.end(f)
}

// awaitAnswer returns when the process has answered for the first time, or will not, or when ctx ends.
func (l *link) awaitAnswer(ctx context.Context) {
	select {
	case <-l.Answered():
	case <-l.Gone():
	case <-ctx.Done():
	}
}
