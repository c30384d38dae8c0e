package streamhttp

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// errGone says that the client went away before it had an answer.
var errGone = errors.New("the client is gone")

// answer gives the answers to one POST. It decides late between one JSON body and an SSE stream:
// if the answers are the first that comes, they are a body.
type answer struct {
	*request
	s            *session.Session
	reader       *stream.Reader
	batch        bool // the POST had several messages
	json, stream bool // what the client takes
	opened       bool // the POST opened the session
	refused      bool // the answer was an error
}

// write returns errGone if the client has not got everything.
func (a *answer) write() error {
	if !a.json {
		return a.events(nil)
	}
	var first [1]stream.Event // most have one
	taken := first[:0]
	patience := a.timer(a.Keepalive)
	defer a.stop(patience)
	for {
		e, state := a.reader.Take()
		switch state {
		case stream.Taken:
			taken = append(taken, e)
			a.refused = e.Envelope().IsError()
			if e.Kind() != message.Response && a.stream {
				return a.events(taken)
			}
			if e.Last {
				return a.body(taken)
			}
			continue
		case stream.Ended, stream.Cut:
			return a.body(taken)
		}
		select {
		case <-a.reader.Ready():
		case <-patience.C:
			if a.stream {
				return a.events(taken)
			}
		case <-a.r.Context().Done():
			free(taken)
			return errGone
		}
	}
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
	if len(answers) == 0 { // the session ended in a way that answered nobody
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
// initialize: there is none then.
func (a *answer) announce() {
	if a.opened && !(a.refused && a.s.Protocol() == "") {
		a.w.Header().Set(HeaderSession, a.s.Announce())
	}
}

// events gives the answers as an SSE stream, beginning with those that have been taken already.
func (a *answer) events(taken []stream.Event) error {
	a.announce()
	a.begin()
	return a.request.stream(a.s, a.reader, taken)
}
