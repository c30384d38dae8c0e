package streamhttp

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// errGone says that the client went away before it had an answer.
var errGone = errors.New("the client has disconnected")

// answer gives the answers to one POST. It decides late between one JSON body and an SSE stream:
// if the answers are the first that comes, they are a body.
type answer struct {
	request      // taken over: with a pointer to it, it would be allocated
	s            *session.Session
	reader       *stream.Reader
	batch        bool // the POST had several messages
	json, stream bool // what the client takes
	opened       bool // the POST opened the session
	asks         bool // the POST has a request
	initialize   bool // the POST is initialize
	refused      bool // the answer was an error
}

// write returns errGone if the client did not receive everything.
func (a *answer) write() error {
	hold := a.opened && a.initialize // the head has the session's id, which says what the server answers
	if a.begun || !a.json && !hold {
		return a.events(nil)
	}
	var first [1]stream.Event // most have one
	taken := first[:0]
	patience := a.timer(a.patience())
	defer a.stop(patience)
	for {
		e, state := a.reader.Take()
		switch state {
		case stream.Taken:
			taken = append(taken, e)
			a.refused = e.Message.Envelope().IsError()
			switch other := e.Message.Kind() != message.Response; {
			case other && a.stream && (!hold || len(taken) == maxHeld), e.Last && !a.wantsBody(taken):
				return a.events(taken)
			case e.Last:
				return a.body(taken)
			}
			continue
		case stream.Ended, stream.Cut:
			if !a.wantsBody(taken) {
				return a.events(taken)
			}
			return a.body(taken)
		}
		select {
		case <-a.reader.Ready():
		case <-patience.C:
			if a.stream {
				return a.events(taken)
			}
			if a.expired() {
				free(taken)
				return errGone
			}
			patience.Reset(a.patience())
		case <-a.r.Context().Done():
			a.over()
			free(taken)
			return errGone
		}
	}
}

// maxHeld bounds what is held back until the server has answered initialize.
const maxHeld = 64

// wantsBody reports whether what has come, and is all, goes out as one JSON body.
func (a *answer) wantsBody(taken []stream.Event) bool {
	return a.json && (a.batch || len(taken) <= 1)
}

// send passes messages on to the session. While that has no process yet, or none again, a client that
// waits for an answer and takes a stream hears every Keepalive that it is to go on waiting.
func (a *answer) send(messages []*message.Message, mode session.ReplyMode, of []*calls.Call) error {
	ctx := a.calling(mode)
	var err error
	if !a.stream || !a.asks || a.s.Ready(messages) {
		a.reader, err = a.s.Send(ctx, messages, mode, of...)
		return err
	}
	type sent struct {
		reader *stream.Reader
		err    error
	}
	done := make(chan sent, 1)
	go func(s *session.Session, messages []*message.Message, of []*calls.Call) {
		reader, err := s.Send(ctx, messages, mode, of...)
		done <- sent{reader, err}
	}(a.s, append([]*message.Message(nil), messages...), append([]*calls.Call(nil), of...)) // slices.Clone would have q allocated
	keepalive := time.NewTicker(a.Keepalive)
	defer keepalive.Stop()
	for {
		select {
		case d := <-done:
			a.reader = d.reader
			return d.err
		case <-keepalive.C:
			a.announce()
			a.begin()
			out := newEvents(&a.request)
			out.comment("the server is starting")
			out.flush() // an error is that the client is gone, which ends Send
			out.free()
		}
	}
}

// fail gives err as the answer to the request with this id on a stream that has begun.
func (a *answer) fail(err error, id []byte) {
	f, ok := errors.AsType[*child.Failure](err)
	if !ok {
		f = &child.Failure{Text: err.Error(), Reason: child.ReasonClosed}
	}
	a.tell(f.Answer(id))
}

// timer returns a timer that was used before, if there is one: a new one is most of what an answer
// would allocate. stop must follow.
func (e *Endpoint) timer(d time.Duration) *time.Timer {
	if t, ok := e.timers.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

func (e *Endpoint) stop(t *time.Timer) {
	t.Stop()
	e.timers.Put(t)
}

func free(events []stream.Event) {
	for _, e := range events {
		e.Free()
	}
}

// body gives the answers as one JSON body.
func (a *answer) body(answers []stream.Event) error {
	defer free(answers)
	if len(answers) == 0 { // the session ended without an answer to any request
		a.refuse(http.StatusServiceUnavailable, codeInternal, "the session ended")
		return errGone
	}
	a.announce()
	if !a.batch {
		m := answers[0].Message
		a.head(http.StatusOK, m.Len())
		_, err := m.WriteTo(a.w)
		return err
	}
	a.head(http.StatusOK, -1)
	for i, e := range answers {
		sep := ","
		if i == 0 {
			sep = "["
		}
		io.WriteString(a.w, sep)
		if _, err := e.WriteTo(a.w); err != nil {
			return err
		}
	}
	_, err := io.WriteString(a.w, "]")
	return err
}

// announce tells the client the id of the session that it opened, unless the answer refuses to
// initialize: no session exists then.
func (a *answer) announce() {
	if a.opened && !a.begun && !(a.refused && a.s.Protocol() == "") {
		a.w.Header().Set(HeaderSession, a.s.Announce())
	}
}

// events gives the answers as an SSE stream, beginning with those that have been taken already.
func (a *answer) events(taken []stream.Event) error {
	a.announce()
	a.begin()
	return a.request.stream(a.s, a.reader, taken)
}
