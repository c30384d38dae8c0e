package pool

import (
	"context"
	"strconv"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// A Call is one request of the modern era and what comes for it: notifications, and then the
// answer. Its methods are called by the HTTP request that waits for it alone.
//
// The process knows it, and its progress token, by a number of ours, because clients choose theirs
// without knowing of each other. Everything else passes as it is.
type Call struct {
	w      *Worker
	stream stream.Stream
	reader *stream.Reader
	number int64
	id     []byte // the client's
	token  []byte // the client's; nil for none
	method string
	logs   bool        // it asked for log messages
	timer  *time.Timer // nil for none

	of      *calls.Call    // that is told how it ended; nil for none
	outcome *calls.Outcome // of its answer, once the client has it
	ours    *calls.Outcome // of its answer, if that is not the server's; guarded by w.mu
}

// subscribes reports whether the call is a subscription, which has no end of its own.
func (c *Call) subscribes() bool { return c.method == "subscriptions/listen" }

// Send passes a request to the process. When ctx's deadline comes, the call is answered with the cause, a
// *child.Failure, and cancelled. Send fails with ErrRetired if the process accepts no more calls,
// and with ctx's error; then the process has not heard of it. Unless it fails with ErrRetired it
// changes m, which stays the caller's. of, which may be nil, hears how the call ends, unless Send fails.
func (w *Worker) Send(ctx context.Context, m *message.Message, of *calls.Call) (*Call, error) {
	refusal := w.refuse(ctx, m)
	c, proc, err := w.register(ctx, m.Envelope(), of)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		w.finish(c, refusal.Answer(c.id), &calls.Outcome{Kind: calls.Refused, Reason: "policy"})
		return c, nil
	}
	if c.subscribes() {
		w.pools.served(w.pool) // it counts no more
	}
	ours := strconv.AppendInt(nil, c.number, 10)
	m.Splice(message.Edit{Part: message.PartID, Text: ours}, message.Edit{Part: message.PartToken, Text: ours})
	child.Tell(of, m, w.server.Inject)
	if err := proc.Write(ctx, m); err != nil && ctx.Err() != nil {
		c.withdraw()
		return nil, context.Cause(ctx)
	}
	return c, nil // if it could not be written the process is dying, and its end answers the call
}

// register makes a call of the request with this envelope, and returns it with the process that it is for.
func (w *Worker) register(ctx context.Context, e *message.Envelope, of *calls.Call) (*Call, *child.Child, error) {
	c := &Call{
		w: w, id: append([]byte(nil), e.ID()...), token: append([]byte(nil), e.ProgressToken()...),
		method: e.Method(), logs: e.WantsLog(), of: of,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, nil, ErrRetired
	}
	if c.subscribes() && w.pool.subscriptions.Add(1) > maxInFlight {
		w.pool.subscriptions.Add(-1)
		return nil, nil, &admission.BusyError{What: "subscriptions of the caller", Limit: maxInFlight}
	}
	w.last++
	c.number = w.last
	w.calls[c.number] = c
	c.reader = w.streams.Open(&c.stream, "")
	if limit, f := child.CallLimit(ctx, w.server.CallTimeout); f != nil && !c.subscribes() {
		c.timer = time.AfterFunc(limit, func() { c.fail(f(), "timeout") })
	}
	if c.subscribes() {
		w.busy--
	}
	return c, w.child, nil
}

// fail answers the call with f, unless it is answered, and tells the process to stop.
func (c *Call) fail(f *child.Failure, why string) {
	how := f.Outcome()
	c.finish(f.Answer(c.id), &how, why)
}

// finish gives the call its last message, unless it has it, and tells the process to stop.
func (c *Call) finish(last *message.Message, ours *calls.Outcome, why string) {
	if c.w.finish(c, last, ours) {
		c.cancel(why)
	} else {
		last.Free()
	}
}

func (c *Call) cancel(why string) {
	if proc := c.w.running(); proc != nil {
		proc.Cancel(strconv.FormatInt(c.number, 10), why)
	}
}

// finish gives c its last message, which may be nil, and reports whether it was in flight. ours is how it ended if
// that message is not the server's.
func (w *Worker) finish(c *Call, last *message.Message, ours *calls.Outcome) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls[c.number] != c {
		return false
	}
	c.ours = ours
	w.finishLocked(c, last)
	return true
}

func (w *Worker) finishLocked(c *Call, last *message.Message) {
	delete(w.calls, c.number)
	if c.timer != nil {
		c.timer.Stop()
	}
	if last == nil {
		w.streams.Finish(&c.stream)
		return
	}
	w.streams.Push(&c.stream, last, true)
}

// withdraw forgets the call, and reports whether it was still in flight.
func (c *Call) withdraw() bool {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	inFlight := c.w.calls[c.number] == c
	if inFlight {
		c.w.finishLocked(c, nil)
		if c.logs {
			c.w.quiet = time.Now().Add(child.CancelGrace)
		}
	}
	c.reader.Leave() // a process that waits for it waits no longer
	if c.subscribes() {
		c.w.pool.subscriptions.Add(-1)
		c.w.busy++ // as Leave of the worker expects
	}
	return inFlight
}

// Leave says that the HTTP request is over. If the call is not, the client went away, which cancels
// it (2026-07-28, transports, "Cancellation"): the process is told, and whatever it still says about
// it reaches no client.
func (c *Call) Leave() {
	if c.withdraw() {
		c.cancel("the client closed the connection")
	}
	if c.of != nil {
		c.of.End(c.how())
	}
}

// how is how the call ended, which is over for its client.
func (c *Call) how() calls.Outcome {
	c.w.mu.Lock()
	ours := c.ours
	c.w.mu.Unlock()
	switch {
	case c.outcome == nil:
		return calls.Outcome{Kind: calls.Cancelled}
	case ours == nil:
		return *c.outcome
	}
	return calls.Outcome{Kind: ours.Kind, Code: c.outcome.Code, Reason: ours.Reason, Out: c.outcome.Out}
}

// End ends a subscription as a server does that shuts down: with an answer (2026-07-28, patterns,
// "Subscriptions"). Of any other call the answer is an error.
func (c *Call) End(why string) { c.finish(c.farewell(why), nil, why) }

func (c *Call) farewell(why string) *message.Message {
	if !c.subscribes() {
		return (&child.Failure{Text: why, Reason: child.ReasonSlow}).Answer(c.id)
	}
	return message.Must([]byte(`{"jsonrpc":"2.0","id":` + string(c.id) +
		`,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":` + string(c.id) + `}}}`))
}

// endSubscriptions ends the subscriptions on this worker.
func (w *Worker) endSubscriptions() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.subscribes() {
			w.finishLocked(c, c.farewell(""))
		}
	}
}

// Ready signals that Take may have something new to say.
func (c *Call) Ready() <-chan struct{} { return c.reader.Ready() }

// Take returns the next message, if there is one. It does not wait, except for other instances to hear of a
// requestState.
func (c *Call) Take() (stream.Event, stream.State) {
	e, state := c.reader.Take()
	if state == stream.Taken && e.Message.Kind() == message.Response { // before the client can make use of it
		if c.of != nil {
			how := child.Outcome(c.method, e.Message)
			c.outcome = &how
		}
		if c.method == "tools/list" {
			c.w.learn(e.Message.Bytes())
		}
		if minted, ok := e.Message.RequestState(); ok {
			c.w.pools.minted(c.w, minted)
		}
	}
	return e, state
}
