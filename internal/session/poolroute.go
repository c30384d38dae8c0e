package session

import (
	"math"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// route passes one message of the process on, which it takes over, and returns the call that it went
// to, or nil. It does not block.
//
// In the modern era every message says what it belongs to, except for log messages; what belongs to
// nothing in flight is dropped, for to show it to another call would be worse.
func (w *Worker) route(r *run, m *message.Message) *Call {
	e := m.Envelope()
	var c *Call
	switch e.Kind() {
	case message.Response:
		c = w.answer(m)
	case message.Notification:
		c = w.notify(m)
	case message.Request:
		// Servers may not ask in this era (2026-07-28, transports/stdio, "Receiving Messages").
		w.log.Warn("the server sent a request, which it may not without a session; refused", "method", e.Method())
		w.say(`{"jsonrpc":"2.0","id":` + string(e.ID()) +
			`,"error":{"code":-32601,"message":"a server sends no requests in protocol version ` + Stateless + `"}}`)
	default:
		r.hear(m.Head(noiseBytes), int64(m.Len()))
	}
	if c == nil {
		w.log.Debug("message for no call in flight", "kind", e.Kind().String(), "method", e.Method())
		m.Free()
	}
	return c
}

// answer gives an answer to its call, or returns nil.
func (w *Worker) answer(m *message.Message) *Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.call(m.Envelope().ID())
	if c != nil {
		m.Splice(message.Edit{Part: message.PartID, Text: c.id}, message.Edit{Part: message.PartClosing, Text: c.id})
		w.finish(c, m)
	}
	return c
}

// notify gives a notification to its call, or returns nil.
func (w *Worker) notify(m *message.Message) *Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.place(m)
	if c != nil {
		c.queue = append(c.queue, m)
		c.wake()
		if c.ended {
			delete(w.calls, c.number)
		}
	}
	return c
}

// place returns the call that a notification belongs to, and gives the message the names that its
// client knows. mu is held.
func (w *Worker) place(m *message.Message) *Call {
	e := m.Envelope()
	switch method := e.Method(); {
	case method == "notifications/progress":
		c := w.call(e.ProgressOf())
		if c == nil || len(c.token) == 0 {
			return nil
		}
		m.Splice(message.Edit{Part: message.PartProgress, Text: c.token})
		return c
	case method == "notifications/cancelled":
		c := w.call(e.Cancels())
		if c == nil || !c.listening() { // a server cancels nothing but subscriptions
			return nil
		}
		m.Splice(message.Edit{Part: message.PartCancels, Text: c.id})
		c.ended = true
		return c
	case method == "notifications/message":
		return w.logger()
	}
	c := w.call(m.Subscription())
	if c == nil || !c.listening() {
		return nil
	}
	m.Splice(message.Edit{Part: message.PartSubscription, Text: c.id})
	return c
}

// logger returns the one call in flight that asked for log messages, if there is one: on stdio they
// do not say whose they are, and no other call may see them. For a moment after such a call was
// cancelled they may still be its.
func (w *Worker) logger() (found *Call) {
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

// call returns the call in flight that the process knows by this id or token, or nil. A number may
// come back written otherwise.
func (w *Worker) call(number []byte) *Call {
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

// hold waits while c's client is far behind, so that a process does not fill our memory: it blocks
// on its stdout instead. A client that does not read at all is cut off, and its call cancelled.
func (w *Worker) hold(c *Call) {
	for {
		w.mu.Lock()
		behind := len(c.queue) > maxBacklog && !c.ended
		w.mu.Unlock()
		if !behind {
			return
		}
		stall := time.NewTimer(stallTimeout)
		select {
		case <-c.room:
			stall.Stop()
		case <-w.ctx.Done():
			stall.Stop()
			return
		case <-stall.C:
			if c.cutOff() {
				w.log.Warn("a client does not read its stream; cut off", "method", c.method)
				w.say(cancelled(c.number, "the client does not read"))
			}
		}
	}
}

// cutOff ends the call if its client is still far behind, and reports whether it is.
func (c *Call) cutOff() bool {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if len(c.queue) <= maxBacklog || c.ended {
		return false
	}
	c.cut = true
	c.w.finish(c, nil)
	return true
}
