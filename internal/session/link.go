package session

import (
	"context"
	"errors"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// A link connects a session to one process of it: what is said to the process, and what it says; or to what
// one is known to answer (see Talk).
type link struct {
	*child.Child // nil where nothing but that is known
	s            *Session
	inventory    *policy.Inventory // of its tools; nil without a policy
	attached     bool              // the process could be talked to; of the goroutine that reads, and then of who waited for it
}

// serve replays the handshake if there is one, and then passes on messages until the process says
// no more.
func (l *link) serve() {
	var err error
	child.OnOwnStack(func() { err = l.replay() })
	if err != nil {
		// Any other error is of a process that is dying, and its exit says more.
		if f, ok := errors.AsType[*child.Failure](err); ok && (f.Reason == child.ReasonStart || f.Reason == child.ReasonChanged) {
			l.Kill(f)
		}
		return
	}
	l.s.setProc(l)
	l.attached = true
	for {
		m, err := l.Read()
		if err != nil {
			return
		}
		l.pass(m)
	}
}

// setProc says that the process of l can be talked to, or, with nil, that it is gone.
func (s *Session) setProc(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc = l
	s.changed.notify()
}

// pass routes one message, or those of a batch, and waits for a client that is far behind.
func (l *link) pass(m *message.Message) {
	switch e := m.Envelope(); {
	case e.Kind() == message.Invalid && !e.IsError():
		l.Skip(m)
	case l.muted(m):
		m.Free()
	case e.Kind() != message.Batch:
		if st := l.route(m); st != nil {
			l.s.streams.Hold(l.s.ctx, st)
		}
	default:
		parts, err := message.Split(m)
		if err != nil || len(parts) == 0 {
			l.Skip(m)
			return
		}
		m.Free()
		for _, part := range parts {
			l.pass(part)
		}
	}
}

// route passes on one message of the process, which it takes over, and returns the stream that it
// went to, or nil. It does not block.
func (l *link) route(m *message.Message) *stream.Stream {
	st, p, retyped := l.dispatch(m)
	if retyped {
		l.s.log.Warn("server changes the type of request ids, which JSON-RPC forbids: answers get the ids of the requests")
	}
	if p == nil {
		return st
	}
	p.record(m)
	return l.deliver(p, m)
}

// dispatch is router.route, while someone can read the message. It reports whether the process has
// answered with an id of another type for the first time.
func (l *link) dispatch(m *message.Message) (st *stream.Stream, p *pending, retyped bool) {
	l.s.mu.Lock()
	defer unlock(l.s)
	if l.s.why != nil {
		m.Free()
		return nil, nil, false
	}
	before := l.s.router.retyped
	st, p = l.s.router.route(m)
	return st, p, l.s.router.retyped && !before
}

// deliver passes on an answer that was recorded, unless the request was answered by a failure meanwhile.
func (l *link) deliver(p *pending, answer *message.Message) *stream.Stream {
	l.s.mu.Lock()
	defer unlock(l.s)
	if !l.s.router.waits(p) {
		answer.Free()
		return nil
	}
	l.s.router.answer(p, answer)
	return p.post.stream
}

// write writes m to the process. It fails with a *child.Failure when the process does not take it, or
// with ctx's error.
func (l *link) write(ctx context.Context, m *message.Message) error {
	err := l.Write(ctx, m)
	if err != nil && ctx.Err() == nil {
		if _, _, why := l.s.state(); why != nil {
			return why
		}
	}
	return err
}

// send passes messages, whose requests are registered, to the process. It fails if no answer will come.
func (l *link) send(ctx context.Context, messages []*message.Message, requests []*pending, of []*calls.Call) error {
	sent := 0 // of requests
	for i, m := range messages {
		if !l.wants(m) {
			continue
		}
		err := l.ensureInitialized(m)
		if err == nil && l.s.server.Policy != nil && l.refused(ctx, m, requests, sent) {
			if m.Kind() == message.Request {
				sent++
			}
			continue
		}
		if err == nil {
			l.readdress(m)
			if i < len(of) {
				child.Tell(of[i], m, l.s.server.Inject)
			}
			err = l.write(ctx, m)
		}
		switch {
		case err == nil:
			if l.afterwards(m); m.Kind() == message.Request {
				sent++
			}
			if m.Envelope().Method() == "notifications/initialized" {
				l.s.known.checkLater()
			}
		case ctx.Err() != nil:
			l.withdraw(ctx, requests, sent)
			return context.Cause(ctx)
		case len(requests) > 0:
			return nil // the process is dying; its end answers all requests, with the reason
		default:
			return err
		}
	}
	return nil
}

// register makes a post with a pending request for every request among messages, and its reader unless
// nothing is to be read there. It is not ok if l is no longer the process: who is registered with one is
// answered at its end, and never later.
func (l *link) register(ctx context.Context, messages []*message.Message, mode ReplyMode, of []*calls.Call) (reader *stream.Reader, requests []*pending, ok bool, err error) {
	s := l.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.why != nil {
		return nil, nil, false, s.why
	}
	if s.proc != l {
		return nil, nil, false, nil
	}
	made := new(newPost)
	made.stream, made.plain = &made.own, mode == AnswersOnly
	to := &made.post
	if mode == OnListener {
		to = &s.router.listener
	}
	if !s.router.roomFor(messages) {
		return nil, nil, false, errBusy
	}
	requests = made.list[:0]
	for i, m := range messages {
		if m.Kind() != message.Request {
			continue
		}
		p := &made.request
		if len(requests) > 0 { // a batch
			p = new(pending)
		}
		p.fill(to, m.Envelope())
		if i < len(of) {
			p.call = of[i]
		}
		if !s.router.add(p, m) {
			for _, earlier := range requests {
				s.router.remove(earlier)
			}
			return nil, nil, false, ErrDuplicate
		}
		l.prepareLocked(ctx, p, m)
		requests = append(requests, p)
	}
	if l.known() {
		l.confirmLocked(messages[0]) // a process that starts from now on is told
	}
	if len(requests) == 0 || mode == OnListener {
		s.known.noticeLocked(&s.router.listener)
		return nil, requests, true, nil
	}
	only := ""
	if len(requests) == 1 {
		only = requests[0].id
	}
	reader = s.streams.Open(to.stream, only)
	if mode == AnswersOnly {
		to = &s.router.listener
	}
	s.known.noticeLocked(to)
	return reader, requests, true, nil
}

// wants reports whether m, a message of the client, goes to the process. An answer does if the
// process that runs now asked for it: one that was started since may have used the same id.
func (l *link) wants(m *message.Message) bool {
	switch m.Kind() {
	case message.Notification:
		return !l.redundant(m)
	case message.Request, message.Batch, message.Invalid:
		return true
	}
	id := m.Envelope().ID()
	if !l.takeServerRequest(id) {
		l.s.log.Debug("client answered a request that is not in flight", "id", string(id))
		return false
	}
	return true
}

// readdress makes a cancellation name its request as the process knows it.
func (l *link) readdress(m *message.Message) {
	if m.Kind() != message.Notification || m.Envelope().Method() != "notifications/cancelled" {
		return
	}
	l.s.mu.Lock()
	p := l.s.router.renamed[message.Key(m.Envelope().Cancels())]
	l.s.mu.Unlock()
	if p != nil {
		m.Splice(message.Edit{Part: message.PartCancels, Text: []byte(p.sent)})
	}
}

// takeServerRequest takes the server's request with this id from those in flight, and reports whether it was.
func (l *link) takeServerRequest(id []byte) bool {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	key, _, ok := find(l.s.router.serverRequests, id)
	delete(l.s.router.serverRequests, key)
	return ok
}

// afterwards applies the effects of a notification that was sent.
func (l *link) afterwards(m *message.Message) {
	if m.Kind() != message.Notification {
		return
	}
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	switch m.Envelope().Method() {
	case "notifications/initialized":
		l.confirmLocked(m)
	case "notifications/cancelled":
		p, ok := l.s.router.ofClient(m.Envelope().Cancels())
		if !ok || p.method == "initialize" {
			return
		}
		// A server should not answer now (utilities/cancellation), but the HTTP request must end.
		if p.timer != nil {
			p.timer.Stop()
		}
		p.timer = time.AfterFunc(child.CancelGrace, func() {
			l.fail(p, &child.Failure{Text: "the request was canceled", Reason: child.ReasonCanceled})
		})
	}
}

// confirmLocked records that the client has said it is initialized, if m says so.
func (l *link) confirmLocked(m *message.Message) {
	if m.Kind() == message.Notification && m.Envelope().Method() == "notifications/initialized" {
		l.s.handshake.confirm(m)
		l.s.initialized.Store(true)
	}
}

// maybeRestart answers all who wait, and decides whether the process, which ended with f, is started
// again. It returns after the pause that comes before that.
func (l *link) maybeRestart(f *child.Failure) bool {
	s := l.s
	pause, again := l.died(f)
	if !again {
		s.end(f)
		return false
	}
	s.table.count.restarts.Add(1)
	s.log.Warn("server died; restarting it", "why", f.Text, "reason", f.Reason, "restarts_left", f.RestartsLeft, "after", pause)
	return pace.Wait(s.ctx, pause) == nil
}

// died is maybeRestart except for the pause, which it returns. Without a handshake to say again no process
// is started.
func (l *link) died(f *child.Failure) (pause time.Duration, again bool) {
	s := l.s
	s.mu.Lock()
	defer unlock(s)
	if s.handshake.version == "" || s.handshake.request == "" || f.Reason == child.ReasonChanged {
		return 0, false
	}
	pause, left, again := s.restarts.Died(time.Now())
	if again {
		f.RestartsLeft, f.Retryable = left, true
		s.router.failAll(f)
	}
	return pause, again
}
