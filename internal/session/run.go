package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A run is one life of a session's process.
type run struct {
	p        process.Process
	pipes    *framing.Stream
	stderr   *complaints
	turn     *turn                   // to start; given on at its first message or at its end
	stall    *time.Timer             // kills a process that does not read; held with the pen
	answered chan struct{}           // closed at its first message
	said     bool                    // answered is closed; of the supervising goroutine
	gone     chan struct{}           // closed when the process has been waited for
	exit     error                   // of that wait; set before gone is closed
	ended    atomic.Pointer[Failure] // why we ended it, if we did
}

// supervise starts the process, passes on what it says, and starts it again when it dies and may
// be. It returns when the process is gone for good.
func (s *Session) supervise() {
	for {
		r, err := s.launch()
		if err != nil {
			s.end(startFailure(err))
			return
		}
		stopped := make(chan struct{})
		cancelled := context.AfterFunc(s.ctx, func() {
			defer close(stopped)
			process.Stop(r.p, r.gone, s.server.Grace)
		})
		s.serve(r)
		s.await(r)
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

// launch starts the process when it is this session's turn.
func (s *Session) launch() (*run, error) {
	if ahead := s.table.sparesOf(s.server).take(); ahead != nil {
		return s.attach(&run{p: ahead.p, stderr: ahead.stderr, turn: new(turn)}), nil
	}
	turn, err := s.table.starts.wait(s.ctx, s.server.Runner)
	if err != nil {
		return nil, err
	}
	p, err := s.server.Launch(s.ctx, s.caller)
	if err != nil {
		turn.done(false)
		return nil, err
	}
	time.AfterFunc(max(s.server.StartTimeout, s.patience()), func() { turn.done(false) })
	return s.attach(&run{p: p, stderr: listen(p, s.log, s.table.redact), turn: turn}), nil
}

// attach makes r's process the session's.
func (s *Session) attach(r *run) *run {
	p := r.p
	r.answered, r.gone = make(chan struct{}), make(chan struct{})
	r.pipes = framing.New(p, p, s.server.Framing, s.server.MaxMessage, s.table.limits.Budget, s.noise)
	if c, ok := p.(interface{ PID() int }); ok {
		s.pid.Store(int64(c.PID()))
	}
	s.log.Info("server started", "pid", s.pid.Load())
	return r
}

// noiseBytes is how much of what is no message is logged.
const noiseBytes = 256

// noise reports what the process wrote to its stdout that is no message. It is logged and skipped:
// a print statement that was left in a server must not end a session.
func (s *Session) noise(head []byte, size int64) {
	if s.said.allow(s.log) {
		s.log.Warn("the server wrote something to its stdout that is no message; skipped", "text", s.table.redact(string(head)), "bytes", size)
	}
}

// patience is how long a start may go on after its caller has given up.
func (s *Session) patience() time.Duration {
	if s.table.starts.warm(s.server.Runner) {
		return 0
	}
	return runnerTimeout
}

// serve replays the handshake if there is one, and then passes on messages until the process says
// no more.
func (s *Session) serve(r *run) {
	if err := s.replay(r); err != nil {
		var f *Failure
		if !errors.As(err, &f) {
			f = &Failure{Text: err.Error(), Reason: ReasonExited, Retryable: true}
		}
		r.ended.CompareAndSwap(nil, f)
		r.p.Kill()
		return
	}
	s.mu.Lock()
	s.now = r
	s.notify()
	s.mu.Unlock()
	for {
		m, err := s.read(r)
		if err != nil {
			return
		}
		s.pass(m)
	}
}

// pass routes one message, or those of a batch, and waits for a client that is far behind.
func (s *Session) pass(m *message.Message) {
	if m.Kind() != message.Batch {
		if st := s.route(m); st != nil {
			s.hold(st)
		}
		return
	}
	parts, err := message.Split(m)
	if err != nil || len(parts) == 0 {
		s.noise(m.Head(noiseBytes), int64(m.Len()))
	}
	m.Free()
	for _, part := range parts {
		s.pass(part)
	}
}

// read returns the next message of the process. An answer over the limit is replaced by an error;
// the rest of such messages are dropped. Every error is final.
func (s *Session) read(r *run) (*message.Message, error) {
	for {
		m, err := r.pipes.Read()
		if err == nil {
			if !r.said {
				r.said = true
				close(r.answered)
				r.turn.done(true)
			}
			return m, nil
		}
		var large *message.TooLargeError
		switch {
		case errors.As(err, &large):
			e := m.Envelope()
			s.log.Warn("the server wrote a message over the limit", "kind", e.Kind().String(), "limit", large.Limit)
			f := &Failure{Text: "the server's answer is too large: " + large.Error(), Reason: ReasonLarge, Hint: "raise runtime.max_message_bytes"}
			if e.Kind() == message.Response {
				answer := f.Answer(e.ID())
				m.Free()
				return answer, nil
			}
			m.Free()
		case errors.Is(err, framing.ErrRunaway):
			r.ended.CompareAndSwap(nil, &Failure{Text: "the server wrote a message without end and was stopped", Reason: ReasonFlood})
			r.p.Kill()
			return nil, err
		default:
			return nil, err
		}
	}
}

// hold waits while the reader of st is far behind, so that a process does not fill our memory: it
// blocks on its stdout instead. A reader that does not move at all is cut off.
func (s *Session) hold(st *Stream) {
	for {
		s.mu.Lock()
		behind, r := st.behind(), st.reader
		s.mu.Unlock()
		if !behind {
			return
		}
		stall := time.NewTimer(stallTimeout)
		select {
		case <-st.room:
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

// await waits for the process after it has said its last. One that only closed its stdout is ended.
func (s *Session) await(r *run) {
	go func() {
		r.exit = r.p.Wait()
		close(r.gone)
	}()
	select {
	case <-r.gone:
	case <-s.ctx.Done():
		<-r.gone
	case <-time.After(time.Second):
		r.ended.CompareAndSwap(nil, &Failure{Text: "the server closed its stdout and was stopped", Reason: ReasonExited, Retryable: true})
		r.p.Kill()
		<-r.gone
	}
	r.turn.done(false)
	r.stderr.end()
}

// comeBack answers all who wait, and decides whether the process is started again. It returns after
// the pause that comes before that.
func (s *Session) comeBack(f *Failure) bool {
	s.mu.Lock()
	now := time.Now()
	left := s.restartsLeft(now)
	if left == 0 || s.shake.version == "" || f.Reason == ReasonChanged {
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

// write writes m to the process, whole, when nobody else does. A process that does not read for
// stallTimeout is killed, since a part of a message cannot be taken back.
func (s *Session) write(ctx context.Context, r *run, m *message.Message) error {
	select {
	case s.pen <- struct{}{}:
	case <-r.gone:
		return s.lost(r)
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.stall == nil {
		r.stall = time.AfterFunc(stallTimeout, r.stalled)
	} else {
		r.stall.Reset(stallTimeout)
	}
	err := r.pipes.Write(m)
	r.stall.Stop()
	<-s.pen
	if err != nil {
		s.log.Debug("write to the server", "error", err)
		s.deafened(r)
		return s.lost(r)
	}
	return nil
}

// stalled is called when a write has waited for too long.
func (r *run) stalled() {
	r.ended.CompareAndSwap(nil, &Failure{
		Text: "the server did not read its stdin for " + stallTimeout.String() + " and was stopped", Reason: ReasonDeaf, Retryable: true,
	})
	r.p.Kill()
}

// deafened is called when the process does not take what is written to it. Most likely it is dying;
// one that only closed its stdin is ended, for it will never answer.
func (s *Session) deafened(r *run) {
	select {
	case <-r.gone:
	case <-s.ctx.Done():
	case <-time.After(time.Second):
		r.ended.CompareAndSwap(nil, &Failure{Text: "the server closed its stdin and was stopped", Reason: ReasonDeaf, Retryable: true})
		r.p.Kill()
	}
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
	r := s.now
	s.mu.Unlock()
	if patience := s.patience(); patience > 0 && r != nil {
		s.table.forget(s)
		s.log.Info("the first start goes on without its client")
		select {
		case <-r.answered:
		case <-r.gone:
		case <-s.ctx.Done():
		case <-time.After(patience):
		}
	}
	s.end(f)
}
