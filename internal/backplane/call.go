package backplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A Target is the instance that a call is for, and what is called there.
type Target struct {
	Owner   string // what Owner, Claim or Minter returned
	Session string // its name; empty for a call without a session
	Passed         // the caller
}

// A Body is the body of a call. It can be written several times.
type Body interface {
	Len() int
	io.WriterTo
}

// ErrRefused means that the instance does not own the session, and has done nothing.
var ErrRefused = errors.New("the session is no longer on that instance")

// A LostError means that a call did not get its whole answer. Unless Unsent is set, it may have had its effect.
type LostError struct {
	Unsent bool
	Err    error
}

func (e *LostError) Error() string { return "forward a request to another instance: " + e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

// Gone reports whether the reason is that the other instance has ended.
func (e *LostError) Gone() bool { return errors.Is(e.Err, errPeer) }

// A call is a request that another instance answers.
type call struct {
	number uint64
	to     string
	answer *inlet
	body   *valve
}

// Forward sends r to another instance with this body, which may be nil, and writes the answer to w as it arrives. begun
// means that the head of w was sent, as that of a stream of events, which the answer must then be too. Forward fails with
// ErrRefused, a *LostError, the cause of ctx's end, which the other instance is told, or an error of w.
func (i *Instance) Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, to Target, body Body, begun bool) error {
	c, err := i.newCall(to)
	if err != nil {
		return &LostError{Unsent: true, Err: err}
	}
	defer i.forget(c)
	i.forwarded.Add(1)
	s := &callSender{i: i, ctx: ctx, c: c, head: headOf(r, to, body)}
	if body != nil && body.Len() > 0 {
		_, err = body.WriteTo(s)
	}
	if err == nil {
		err = s.flush(true)
	}
	switch {
	case err == nil, errors.Is(err, errAnswered):
		err = i.relay(ctx, w, c, begun)
	case ctx.Err() == nil:
		err = &LostError{Err: err}
	}
	if err != nil && !errors.Is(err, ErrRefused) {
		i.post(c.to, &entry{kind: kindCancel, call: c.number}) // it may wait for the rest of the body, or for room
	}
	return err
}

func headOf(r *http.Request, to Target, body Body) []byte {
	h := requestHead{
		session: to.Session, owner: to.Owner, principal: to.Principal, client: to.Client,
		method: r.Method, target: r.URL.RequestURI(), host: r.Host, remote: r.RemoteAddr, header: r.Header,
	}
	if body != nil {
		h.length = int64(body.Len())
	}
	return h.bytes()
}

// newCall returns a new call, which forget must follow.
func (i *Instance) newCall(to Target) (*call, error) {
	peer, _, _ := strings.Cut(to.Owner, "/")
	if i.down.Load() {
		return nil, errDown
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		return nil, errClosed
	case len(i.calls) >= maxCalls:
		return nil, fmt.Errorf("%d calls to other instances are in flight", maxCalls)
	}
	i.lastCall++
	c := &call{number: i.lastCall, to: peer, answer: newInlet(), body: newValve()}
	i.calls[c.number] = c
	return c, nil
}

// forget ends c: what arrives for it from now on is dropped.
func (i *Instance) forget(c *call) {
	left := c.answer.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.calls, c.number)
	i.unread -= left
}

// errAnswered ends the sending of a body whose call has its answer already.
var errAnswered = errors.New("already answered")

// A callSender sends a call in pieces.
type callSender struct {
	i    *Instance
	ctx  context.Context
	c    *call
	head []byte // nil after it was sent
	buf  []byte
	part int
}

func (s *callSender) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(s.buf) == pieceSize {
			if err := s.flush(false); err != nil {
				return n, err
			}
		}
		some := min(len(p)-n, pieceSize-len(s.buf))
		s.buf = append(s.buf, p[n:n+some]...)
		n += some
	}
	return n, nil
}

// flush sends what was written when the other instance has room for it. end means that nothing follows.
func (s *callSender) flush(end bool) error {
	for !s.c.body.take(len(s.buf)) {
		if s.c.answer.begun() {
			return errAnswered
		}
		select {
		case <-s.c.body.opened:
		case <-s.c.answer.ready:
			rouse(s.c.answer.ready) // for relay
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	}
	if err := s.i.awaitRoom(s.ctx); err != nil {
		return err
	}
	e := &entry{kind: kindBody, call: s.c.number, part: s.part, end: end, data: s.buf}
	if s.head != nil {
		e.kind, e.head = kindRequest, s.head
	}
	s.head, s.buf = nil, nil
	s.part++
	s.i.post(s.c.to, e)
	return nil
}

// begun reports whether something has arrived, or nothing will.
func (in *inlet) begun() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.entries) > 0 || in.err != nil
}

// awaitRoom returns when the queue has room.
func (i *Instance) awaitRoom(ctx context.Context) error {
	for room := i.queueRoom(); room != nil; room = i.queueRoom() {
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// relay writes the answer of c to w.
func (i *Instance) relay(ctx context.Context, w http.ResponseWriter, c *call, begun bool) error {
	wrote, consumed := false, 0
	flusher := http.NewResponseController(w)
	for {
		e, err := c.answer.next(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil:
			return &LostError{Err: err}
		}
		i.count(-len(e.data))
		switch {
		case e.kind == kindRefusal && !e.end:
			return ErrRefused
		case e.kind == kindRefusal:
			return &LostError{Err: errors.New("the instance ended its answer early")}
		case e.kind == kindHead && !wrote:
			status, header, ok := parseAnswerHead(e.head)
			if !ok || begun && !(status == http.StatusOK && header.Get("Content-Type") == "text/event-stream") {
				return &LostError{Err: fmt.Errorf("the answer has status %d, but the response has begun as a stream of events", status)}
			}
			if !begun {
				for name, values := range header {
					w.Header()[name] = values
				}
				w.WriteHeader(status)
			}
			wrote = true
		case e.kind != kindData || !wrote:
			return &LostError{Err: errEntry}
		}
		if _, err = w.Write(e.data); err == nil && !e.end {
			err = flusher.Flush()
		}
		if err != nil {
			return fmt.Errorf("write to the client: %w", err)
		}
		if e.end {
			return nil
		}
		if consumed += len(e.data); consumed >= window/2 {
			i.post(c.to, &entry{kind: kindCredit, call: c.number, more: consumed})
			consumed = 0
		}
	}
}
