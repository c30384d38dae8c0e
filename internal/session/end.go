package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
)

// Close ends the session: its id is unknown from now on, what waits is answered, streams end, and
// the process goes down the ladder, which Close does not wait for. Only the first call counts.
func (s *Session) Close(why string) {
	s.end(&child.Failure{Text: why, Reason: child.ReasonClosed, Retryable: true})
}

// end is Close for any reason.
func (s *Session) end(f *child.Failure) {
	s.finish(f, func() bool {
		if s.sealed != "" && s.server.OnLost != NotFound { // its id would still open
			s.table.tombstones.write(s.sealed, time.Time{}, s.server.until(s.created))
		}
		return true
	})
}

// finish ends the session if it has not ended and settleLocked, which writes
// down what is to become of its id, reports true. It reports whether it did.
func (s *Session) finish(f *child.Failure, settleLocked func() bool) bool {
	if !s.stop(f, settleLocked) {
		return false
	}
	s.table.forget(s)
	disown(s)
	s.rec.Ended(f.Text) // before the process hears of it
	s.cancel()
	level := levelOf(f)
	if !launched(s) {
		s.table.over(s)
		level = slog.LevelDebug // there are many, and most only list
	}
	s.log.Log(context.Background(), level, "session ended", "why", f.Text, "reason", f.Reason)
	return true
}

// levelOf is a warning where someone should look at the server: it ended without our doing.
func levelOf(f *child.Failure) slog.Level {
	switch f.Reason {
	case child.ReasonClosed, child.ReasonCanceled, child.ReasonElsewhere, child.ReasonUnsure:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// stop is finish as far as it is done in one go.
func (s *Session) stop(f *child.Failure, settleLocked func() bool) bool {
	s.mu.Lock()
	defer unlock(s)
	if s.why != nil || !settleLocked() {
		return false
	}
	s.why = f
	s.clock.StopLocked()
	s.router.failAll(f)
	s.streams.End()
	if s.clock.InsideLocked() == 0 {
		s.streams.Release() // there are no readers any more
	}
	s.changed.notify()
	return true
}
