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
	Session string // the name of the session; empty for a call of none
	Passed         // the caller
}

// A Body is that of a call. It may be written several times.
type Body interface {
	Len() int
	io.WriterTo
}

// ErrRefused says that the instance does not own the session any more, and has done nothing.
var ErrRefused = errors.New("the session is no longer on that instance")

// A LostError says that there is no answer, and why. Unless Unsent is set, the call may have had its effect.
type LostError struct {
	Unsent bool
	Err    error
}

func (e *LostError) Error() string { return "forward a request to another instance: " + e.Err.Error() }
func (e *LostError) Unwrap() error { return e.Err }

// Gone reports whether the instance that was to answer has ended.
func (e *LostError) Gone() bool { return errors.Is(e.Err, errPeer) }

// A call is one that another instance answers.
type call struct {
	number uint64
	to     string
	answer *inlet
	body   *valve
}

// Forward passes r on to another instance with this body, which may be nil, and gives its answer to w as it comes:
// the head, unless w's is begun already, and what belongs to it. It fails with ErrRefused, a *LostError, or the
// cause of the end of ctx, which is that r is over; then the other instance is told.
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
	case ctx.Err() != nil:
		i.post(c.to, &entry{kind: kindCancel, call: c.number})
		return err
	default:
		return &LostError{Err: err}
	}
	return i.relay(ctx, w, c, begun)
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

// newCall returns a call to an instance.
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

// forget says that no request waits for c any more.
func (i *Instance) forget(c *call) {
	left := c.answer.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.calls, c.number)
	i.unread -= left
}

// errAnswered ends the sending of a body when there is an answer already.
var errAnswered = errors.New("already answered")

// A callSender sends a call in pieces.
type callSender struct {
	i    *Instance
	ctx  context.Context
	c    *call
	head []byte // nil once it is sent
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

// flush sends what there is when there is room for it.
func (s *callSender) flush(end bool) error {
	for !s.c.body.take(len(s.buf)) {
		if s.c.answer.begun() {
			return errAnswered
		}
		select {
		case <-s.c.body.opened:
		case <-s.c.answer.ready:
			rouse(s.c.answer.ready) // it is for relay
			if s.c.answer.begun() {
				return errAnswered
			}
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

// begun reports whether there is an answer, or will be none.
func (in *inlet) begun() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.entries) > 0 || in.err != nil
}

// awaitRoom returns when the queue has room.
func (i *Instance) awaitRoom(ctx context.Context) error {
	for {
		room := i.queueRoom()
		if room == nil {
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// relay gives the answer of c to w.
func (i *Instance) relay(ctx context.Context, w http.ResponseWriter, c *call, begun bool) error {
	wrote, consumed := false, 0
	flusher := http.NewResponseController(w)
	for {
		e, err := c.answer.next(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			i.post(c.to, &entry{kind: kindCancel, call: c.number})
			return err
		case err != nil:
			return &LostError{Err: err}
		case e.kind == kindRefusal && !wrote:
			return ErrRefused
		case e.kind == kindRefusal:
			return &LostError{Err: errors.New("that instance broke it off")}
		case e.kind == kindHead && !wrote:
			status, header, ok := parseAnswerHead(e.head)
			if !ok || begun && !(status == http.StatusOK && header.Get("Content-Type") == "text/event-stream") {
				i.post(c.to, &entry{kind: kindCancel, call: c.number})
				return &LostError{Err: fmt.Errorf("its answer has status %d", status)}
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
		i.count(-len(e.data))
		if len(e.data) > 0 {
			if _, err = w.Write(e.data); err == nil && !e.end {
				err = flusher.Flush()
			}
		} else if !e.end {
			err = flusher.Flush()
		}
		if err != nil {
			i.post(c.to, &entry{kind: kindCancel, call: c.number})
			return fmt.Errorf("the client is gone: %w", err)
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
