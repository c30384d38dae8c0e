package pool

import (
	"math"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// route passes one message of the process on, which it takes over, and returns the call that it went
// to, or nil. It does not block.
//
// In the modern era every message says what it belongs to, except for log messages; what belongs to
// nothing in flight is dropped, for to show it to another call would be worse.
func (w *Worker) route(proc *child.Child, m *message.Message) *Call {
	e := m.Envelope()
	var c *Call
	switch e.Kind() {
	case message.Response:
		w.sift(m)
		c = w.answer(m)
	case message.Notification:
		if !w.muted(m) {
			c = w.notify(m)
		}
	case message.Request:
		// Servers may not ask in this era (2026-07-28, transports/stdio, "Receiving Messages").
		w.log.Warn("server request refused: it has no session", "method", e.Method())
		w.say(`{"jsonrpc":"2.0","id":` + string(e.ID()) +
			`,"error":{"code":-32601,"message":"a server sends no requests in protocol version ` + Stateless + `"}}`)
	default:
		proc.Skip(m)
		return nil
	}
	if c == nil {
		w.log.Debug("message does not belong to a call in flight", "kind", e.Kind().String(), "method", e.Method())
		m.Free()
	}
	return c
}

// answer gives an answer to its call, or returns nil.
func (w *Worker) answer(m *message.Message) *Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.callLocked(m.Envelope().ID())
	if c != nil {
		m.Splice(message.Edit{Part: message.PartID, Text: c.id}, message.Edit{Part: message.PartClosing, Text: c.id})
		w.finishLocked(c, m)
	}
	return c
}

// notify gives a notification to its call, or returns nil.
func (w *Worker) notify(m *message.Message) *Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, last := w.placeLocked(m)
	switch {
	case last:
		w.finishLocked(c, m)
	case c != nil:
		w.streams.Push(&c.stream, m, false)
	}
	return c
}

// placeLocked returns the call that a notification belongs to, and gives the message the names that its
// client knows. last says that the call ends with it.
func (w *Worker) placeLocked(m *message.Message) (c *Call, last bool) {
	e := m.Envelope()
	switch method := e.Method(); {
	case method == "notifications/progress":
		c = w.callLocked(e.ProgressOf())
		if c == nil || len(c.token) == 0 {
			return nil, false
		}
		m.Splice(message.Edit{Part: message.PartProgress, Text: c.token})
		return c, false
	case method == "notifications/cancelled":
		c = w.callLocked(e.Cancels())
		if c == nil || !c.subscribes() { // a server cancels nothing but subscriptions
			return nil, false
		}
		m.Splice(message.Edit{Part: message.PartCancels, Text: c.id})
		return c, true
	case method == "notifications/message":
		return w.loggerLocked(), false
	}
	c = w.callLocked(m.Subscription())
	if c == nil || !c.subscribes() {
		return nil, false
	}
	m.Splice(message.Edit{Part: message.PartSubscription, Text: c.id})
	return c, false
}

// loggerLocked returns the one call in flight that asked for log messages, if there is one: on stdio they
// do not say whose they are, and no other call may see them. For a moment after such a call was
// cancelled they may still be its.
func (w *Worker) loggerLocked() (found *Call) {
	if time.Now().Before(w.quiet) {
		return nil
	}
	for _, c := range w.calls {
		if !c.logs {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

// callLocked returns the call in flight that the process knows by this id or token, or nil. A number may
// come back written otherwise.
func (w *Worker) callLocked(number []byte) *Call {
	if len(number) == 0 {
		return nil
	}
	if n, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return w.calls[n]
	}
	if f, err := strconv.ParseFloat(string(number), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return w.calls[int64(f)]
	}
	return nil
}

// hold waits while c's client is far behind. If that does not read at all its call is cancelled.
func (w *Worker) hold(c *Call) {
	if w.streams.Hold(w.ctx, &c.stream) && w.finish(c, nil, nil) {
		w.aside.Go(func() { c.cancel("the client does not read") })
	}
}
