package session

import (
	"context"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A pending request is one of a client that the server has not answered.
type pending struct {
	post   *post
	id     string // as the client wrote it
	key    string // of the id that the process knows it by
	sent   string // the id that the process knows it by: the client's, or one of ours
	token  string // "" for none
	task   string // "" for none
	method string
	record func(answer *message.Message) // called, without a lock, before the answer is passed on; nil for nothing
	timer  *time.Timer                   // nil for none
	call   *calls.Call                   // that is told how it ended; nil for none
}

// fill makes p, which is new, the request with this envelope, whose answer goes to to.
func (p *pending) fill(to *post, e *message.Envelope) {
	p.post, p.key, p.method = to, message.Key(e.ID()), e.Method()
	if token := e.ProgressToken(); string(token) == p.key {
		p.token = p.key // as most clients choose it
	} else {
		p.token = message.Key(token)
	}
	if p.id = p.key; p.id != string(e.ID()) {
		p.id = string(e.ID())
	}
	p.sent = p.id
	if p.method == "tasks/result" {
		p.task = message.Key(e.TaskOf())
	}
}

// prepareLocked sets the timer of a request that is about to be sent, and what its answer is recorded for.
func (l *link) prepareLocked(ctx context.Context, p *pending, m *message.Message) {
	limit := l.s.server.CallTimeout
	whole := limit
	switch p.method {
	case "initialize":
		limit = l.s.server.StartTimeout
		whole = limit
		if since := l.s.handshake.since; !since.IsZero() && l.s.table.starter.Patience(l.s.server.Spec) > 0 {
			limit = max(limit-time.Since(since), time.Nanosecond) // it has waited behind another's download
		}
		request := recorded(m)
		l.s.handshake.asked = request
		if l.known() {
			break // its answer is on record
		}
		p.record = func(answer *message.Message) { child.OnOwnStack(func() { l.recordInitialize(request, answer) }) }
	case "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		request := recorded(m)
		if l.known() { // it grants a level, and answers no other of these
			l.s.handshake.grant(p.method, "", request)
			break
		}
		p.record = func(answer *message.Message) { l.recordState(p.method, request, answer) }
	default:
		if ctx.Value(unsifted{}) == nil {
			l.siftLocked(p)
		}
	}
	if l.known() {
		return // it is answered at once
	}
	if !l.s.ends.IsZero() {
		ctx = child.Ending(ctx, l.s.ends, l.s.hostLimit)
	}
	if limit, f := child.CallLimit(ctx, limit); f != nil {
		p.timer = time.AfterFunc(limit, func() { l.onTimeout(p, whole, f()) })
	}
}

// withdraw takes back requests, of which the first few were sent: those the process may still answer.
func (l *link) withdraw(ctx context.Context, requests []*pending, sent int) {
	l.s.mu.Lock()
	defer unlock(l.s)
	for i, p := range requests {
		if !l.s.router.waits(p) {
			continue
		}
		l.s.router.ended(p, child.NoAnswer(context.Cause(ctx)))
		if l.s.router.remove(p); i < sent {
			l.s.router.late.Put(p.key, struct{}{}, time.Time{})
		}
	}
}

// onTimeout is called when a request has not been answered in time, of which f tells.
func (l *link) onTimeout(p *pending, limit time.Duration, f *child.Failure) {
	if p.method == "initialize" {
		l.s.abandon(l.startTimeout(limit))
		return
	}
	if l.fail(p, f) {
		l.Cancel(p.sent, "timeout")
	}
}

// startTimeout is the failure of an initialize that has not been answered in time.
func (l *link) startTimeout(limit time.Duration) *child.Failure {
	f := l.Unanswered("initialize", limit)
	f.Stderr = l.Stderr()
	if last := l.s.table.firstStarts.failure(l.s); last != nil {
		blame(f, last)
	} else if l.s.table.starter.Patience(l.s.server.Spec) > 0 {
		f.Text += "; its first start continues, so try again soon"
		f.Hint = ""
	}
	return f
}

// fail answers one request with f, which the process may still answer. It reports false if it has been answered already.
func (l *link) fail(p *pending, f *child.Failure) bool {
	l.s.mu.Lock()
	defer unlock(l.s)
	if !l.s.router.waits(p) {
		return false
	}
	f.RestartsLeft = l.s.restarts.Left(time.Now())
	l.s.router.fail(p, f)
	l.s.router.late.Put(p.key, struct{}{}, time.Time{})
	return true
}
