package session

import (
	"context"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A Call is one request of the modern era and what comes for it: notifications, and then the
// answer. Its methods are called by the HTTP request that waits for it alone.
//
// The process knows it, and its progress token, by a number of ours, because clients choose theirs
// without knowing of each other. Everything else passes as it is.
type Call struct {
	w      *Worker
	number int64
	id     []byte // the client's
	token  []byte // the client's; nil for none
	method string
	logs   bool        // it asked for log messages
	timer  *time.Timer // nil for none

	ready chan struct{} // capacity 1
	room  chan struct{} // signals that something was taken; capacity 1

	// Guarded by w.mu.
	queue []*message.Message
	ended bool // nothing comes after queue
	cut   bool // the client was too slow
}

// listening reports whether the call is a subscription, which has no end of its own.
func (c *Call) listening() bool { return c.method == "subscriptions/listen" }

// Send passes a request to the process. It fails with ErrUnknown if the process takes no more calls,
// and with ctx's error; then the process has not heard of it. Unless it fails with ErrUnknown it
// changes m, which stays the caller's.
func (w *Worker) Send(ctx context.Context, m *message.Message) (*Call, error) {
	e := m.Envelope()
	c := &Call{
		w: w, id: append([]byte(nil), e.ID()...), token: append([]byte(nil), e.ProgressToken()...),
		method: e.Method(), logs: e.WantsLog(), ready: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return nil, ErrUnknown
	}
	w.last++
	c.number = w.last
	w.calls[c.number] = c
	if limit := w.server.CallTimeout; limit > 0 && !c.listening() {
		c.timer = time.AfterFunc(limit, func() { c.late(limit) })
	}
	r := w.run
	w.mu.Unlock()
	if c.listening() {
		w.waits(-1)
	}
	ours := strconv.AppendInt(nil, c.number, 10)
	m.Splice(message.Edit{Part: message.PartID, Text: ours}, message.Edit{Part: message.PartToken, Text: ours})
	if err := r.write(ctx, m); err != nil && ctx.Err() != nil {
		c.withdraw()
		return nil, ctx.Err()
	}
	return c, nil // if it could not be written the process is dying, and its end answers the call
}

// late is called when the call has not been answered in time.
func (c *Call) late(limit time.Duration) {
	f := &Failure{
		Text: "the server did not answer within " + limit.String(), Reason: ReasonSlow, Retryable: true,
		Hint: "raise request_timeout_seconds",
	}
	c.w.mu.Lock()
	waits := c.w.calls[c.number] == c
	if waits {
		c.w.finish(c, f.Answer(c.id))
	}
	c.w.mu.Unlock()
	if waits {
		c.w.tellCancelled(c.number, "timeout")
	}
}

// finish gives the call its last message, which may be nil. w.mu is held.
func (w *Worker) finish(c *Call, last *message.Message) {
	delete(w.calls, c.number)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.ended = true
	if last != nil {
		c.queue = append(c.queue, last)
	}
	c.wake()
}

func (c *Call) wake() {
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// withdraw forgets the call, and reports whether it was still in flight.
func (c *Call) withdraw() bool {
	c.w.mu.Lock()
	inFlight := c.w.calls[c.number] == c
	if inFlight {
		c.w.finish(c, nil)
		if c.logs {
			c.w.quiet = time.Now().Add(cancelGrace)
		}
	}
	for _, m := range c.queue {
		m.Free()
	}
	c.queue, c.ended = nil, true
	c.w.mu.Unlock()
	if c.listening() {
		c.w.waits(1) // as Leave of the worker expects
	}
	select { // a process that waits for this reader waits no longer
	case c.room <- struct{}{}:
	default:
	}
	return inFlight
}

// Leave says that the HTTP request is over. If the call is not, the client went away, which cancels
// it (2026-07-28, transports, "Cancellation"): the process is told, and whatever it still says about
// it reaches nobody.
func (c *Call) Leave() {
	if c.withdraw() {
		c.w.tellCancelled(c.number, "the client closed the connection")
	}
}

// End ends a subscription as a server does that shuts down: with an answer (2026-07-28, patterns,
// "Subscriptions"). Of any other call the answer is an error.
func (c *Call) End(why string) {
	c.w.mu.Lock()
	inFlight := c.w.calls[c.number] == c
	if inFlight {
		c.w.finish(c, c.farewell(why))
	}
	c.w.mu.Unlock()
	if inFlight {
		c.w.tellCancelled(c.number, why)
	}
}

func (c *Call) farewell(why string) *message.Message {
	if !c.listening() {
		return (&Failure{Text: why, Reason: ReasonSlow}).Answer(c.id)
	}
	m, err := message.Parse([]byte(`{"jsonrpc":"2.0","id":` + string(c.id) +
		`,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":` + string(c.id) + `}}}`))
	if err != nil {
		panic("session: the id of a request is not JSON: " + err.Error())
	}
	return m
}

// endSubscriptions ends the subscriptions on this worker.
func (w *Worker) endSubscriptions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.listening() {
			w.finish(c, c.farewell(""))
		}
	}
}

// Ready signals that Take may have something new to say.
func (c *Call) Ready() <-chan struct{} { return c.ready }

// Take returns the next message, if there is one. It does not wait.
func (c *Call) Take() (Event, State) {
	e, state := c.take()
	if state == Taken && c.method == "tools/list" && e.Kind() == message.Response {
		c.w.learn(e.Bytes()) // before the client can make use of it
	}
	return e, state
}

func (c *Call) take() (Event, State) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	switch {
	case c.cut:
		return Event{}, Cut
	case len(c.queue) > 0:
		e := Event{Message: c.queue[0], Last: c.ended && len(c.queue) == 1}
		c.queue[0] = nil
		c.queue = c.queue[1:]
		select {
		case c.room <- struct{}{}:
		default:
		}
		return e, Taken
	case c.ended:
		return Event{}, Ended
	}
	return Event{}, Waiting
}
