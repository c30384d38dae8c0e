package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// supervise starts the process, passes on what it says, and starts it again when it dies and may
// be. It returns when the process is gone for good.
func (s *Session) supervise() {
	for {
		r, err := s.table.start(s.ctx, s.server, s.caller, s.log)
		if err != nil {
			s.end(startFailure(err))
			return
		}
		s.pid.Store(int64(r.pid()))
		r.watched(s.rec)
		stopped := make(chan struct{})
		cancelled := context.AfterFunc(s.ctx, func() {
			defer close(stopped)
			process.Stop(r.p, r.gone, s.server.Grace)
		})
		s.serve(r)
		r.await(s.ctx)
		if !cancelled() {
			<-stopped
		}
		s.pid.Store(0)
		s.mu.Lock()
		s.now = nil
		s.notify()
		s.mu.Unlock()
		if s.ctx.Err() != nil || !s.comeBack(r.failure()) {
			return
		}
	}
}

// serve replays the handshake if there is one, and then passes on messages until the process says
// no more.
func (s *Session) serve(r *run) {
	var err error
	apart(func() { err = s.replay(r) })
	if err != nil {
		// Any other error is of a process that is dying, and its exit says more.
		if f := (*Failure)(nil); errors.As(err, &f) && (f.Reason == ReasonStart || f.Reason == ReasonChanged) {
			r.kill(f)
		}
		return
	}
	s.mu.Lock()
	s.now = r
	s.notify()
	s.mu.Unlock()
	for {
		m, err := r.read()
		if err != nil {
			return
		}
		s.pass(r, m)
	}
}

// pass routes one message, or those of a batch, and waits for a client that is far behind.
func (s *Session) pass(r *run, m *message.Message) {
	switch e := m.Envelope(); e.Kind() {
	case message.Batch:
	case message.Invalid:
		if !e.IsError() {
			r.hear(m.Head(noiseBytes), int64(m.Len()))
			m.Free()
			return
		}
		fallthrough
	default:
		if st := s.route(m); st != nil {
			s.hold(st)
		}
		return
	}
	parts, err := message.Split(m)
	if err != nil || len(parts) == 0 {
		r.hear(m.Head(noiseBytes), int64(m.Len()))
	}
	m.Free()
	for _, part := range parts {
		s.pass(r, part)
	}
}

// hold waits while the reader of st is far behind, so that a process does not fill our memory: it
// blocks on its stdout instead. A reader that does not move at all is cut off.
func (s *Session) hold(st *Stream) {
	for {
		s.mu.Lock()
		behind, r := st.behind(), st.reader
		if behind && st.room == nil {
			st.room = make(chan struct{}, 1)
		}
		room := st.room
		s.mu.Unlock()
		if !behind {
			return
		}
		stall := time.NewTimer(stallTimeout)
		select {
		case <-room:
		case <-s.ctx.Done():
			stall.Stop()
			return
		case <-stall.C:
			s.mu.Lock()
			if st.reader == r && st.behind() {
				s.log.Warn("a client does not read its stream; cut off", "stream", st.number)
				r.cut = true
				st.reader = nil
				r.wake()
			}
			s.mu.Unlock()
		}
		stall.Stop()
	}
}

// comeBack answers all who wait, and decides whether the process is started again. It returns after
// the pause that comes before that.
func (s *Session) comeBack(f *Failure) bool {
	s.mu.Lock()
	now := time.Now()
	left := s.restartsLeft(now)
	if left == 0 || s.shake.version == "" || s.shake.request == "" || f.Reason == ReasonChanged {
		s.mu.Unlock()
		s.end(f)
		return false
	}
	s.crashes = append(s.crashes, now)
	f.RestartsLeft = left - 1
	f.Retryable = true
	s.failAll(f)
	n := len(s.crashes)
	s.mu.Unlock()
	s.table.count.restarts.Add(1)
	pause := backOff(n)
	s.log.Warn("server died and is started again", "why", f.Text, "reason", f.Reason, "restarts_left", f.RestartsLeft, "after", pause)
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// restartsLeft is how many more times the process may die and be started again. mu is held.
func (s *Session) restartsLeft(now time.Time) int {
	for len(s.crashes) > 0 && now.Sub(s.crashes[0]) > restartWindow {
		s.crashes = s.crashes[1:]
	}
	if !s.server.Restart {
		return 0
	}
	return max(0, s.server.MaxRestarts-len(s.crashes))
}

// backOff is the pause before the n-th restart within the window: 0.1 s, doubled each time up to
// 10 s, and up to a fifth more, so that processes that died together do not start together.
func backOff(n int) time.Duration {
	d := min(100*time.Millisecond<<min(n-1, 10), 10*time.Second)
	return d + rand.N(d/5)
}

// running returns the process once it can be talked to. It waits for a start as long as a start may
// take.
func (s *Session) running(ctx context.Context) (*run, error) {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		now, why, changed := s.now, s.why, s.changed
		s.mu.Unlock()
		switch {
		case why != nil:
			return nil, why
		case now != nil:
			return now, nil
		case late == nil:
			timer := time.NewTimer(s.server.StartTimeout)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return nil, &Failure{
				Text:   "the server is still being started after " + s.server.StartTimeout.String() + "; try again soon",
				Reason: ReasonTimeout, Retryable: true,
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// write writes m to the process. It fails with a *Failure when the process does not take it, or with
// ctx's error.
func (s *Session) write(ctx context.Context, r *run, m *message.Message) error {
	err := r.write(ctx, m)
	if errors.Is(err, errGone) {
		r.deafened(s.ctx)
		return s.lost(r)
	}
	return err
}

// lost is why a message could not be written. The process is dying, and what it died of is not
// known yet.
func (s *Session) lost(r *run) *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return s.why
	}
	if f := r.ended.Load(); f != nil {
		return f
	}
	return &Failure{Text: "the server is gone", Reason: ReasonExited, Retryable: true}
}
