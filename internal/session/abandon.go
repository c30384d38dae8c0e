package session

import (
	"context"
	"time"
)

// startTimedOut is called when initialize has not been answered in time.
func (s *Session) startTimedOut(limit time.Duration) {
	f := &Failure{
		Text: "the server did not answer initialize within " + limit.String(), Reason: ReasonTimeout, Retryable: true,
		Hint: "raise timeout_seconds",
	}
	s.mu.Lock()
	r := s.now
	s.mu.Unlock()
	if r != nil {
		f.Stderr = r.stderr.last()
	}
	if s.patience() > 0 {
		f.Text += "; its first start goes on, so try again soon"
		f.Hint = ""
	}
	s.abandon(f)
}

// Abandon ends a session whose id its client never learned. The first start of a package runner is
// not thrown away: it goes on, and the next session finds what it downloaded.
func (s *Session) Abandon() {
	s.abandon(&Failure{Text: "the client went away before it learned the session's id", Reason: ReasonClosed})
}

func (s *Session) abandon(f *Failure) {
	s.mu.Lock()
	s.failAll(f)
	s.mu.Unlock()
	if patience := s.patience(); patience > 0 {
		s.table.forget(s)
		s.log.Info("the first start goes on without its client")
		s.awaitAnswer(patience)
	}
	s.end(f)
}

// awaitAnswer returns when the process has answered for the first time, or will not, or at the limit.
func (s *Session) awaitAnswer(limit time.Duration) {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	s.mu.Lock()
	r, changed, why := s.now, s.changed, s.why
	s.mu.Unlock()
	for r == nil && why == nil { // we initialize it, and it answers us
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		r, changed, why = s.now, s.changed, s.why
		s.mu.Unlock()
	}
	if why != nil {
		return
	}
	select {
	case <-r.answered:
	case <-r.gone:
	case <-ctx.Done():
	}
}

// patience is how long a start may go on after its caller has given up.
func (s *Session) patience() time.Duration { return s.table.starts.patience(s.server.Runner) }
