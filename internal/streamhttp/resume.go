package streamhttp

import (
	"errors"
	"net/http"

	"github.com/mcpfunc/mcpfunc/internal/session"
)

// What a client gets that asks for the events after one, when that is of another life of its session:
// of a process that has ended, or on another instance. Nothing is left out in silence.
//
//   - Of the standalone stream: the stream as it is now, after word that lists may have changed. A
//     refusal would end the session of clients that take any for its end.
//   - Of a POST with one request: an error as the answer to that, at once. Clients that are refused
//     would come again, and then wait for an answer that nobody gives.
//   - Of any other: 400.

// lastEvent is the event after which the client wants to go on; nil if it begins. It has answered
// when it reports false.
func (q *request) lastEvent() (*session.EventID, bool) {
	last := q.r.Header.Get(headerResume)
	if last == "" {
		return nil, true
	}
	e, err := session.ParseEventID(last)
	if err != nil {
		q.cannotResume(err)
		return nil, false
	}
	return &e, true
}

func (q *request) cannotResume(why error) {
	q.refuse(http.StatusBadRequest, codeInvalid, "cannot resume after "+q.r.Header.Get(headerResume)+": "+why.Error())
}

// listen returns a reader of what a GET is for. It has answered when it returns nil.
func (q *request) listen(s *session.Session) *session.Reader {
	last, ok := q.lastEvent()
	if !ok {
		return nil
	}
	if last == nil {
		return s.Listen()
	}
	reader, err := s.Resume(*last)
	switch {
	case err == nil:
		return reader
	case !errors.Is(err, session.ErrElsewhere):
		q.cannotResume(err)
	case last.Stream > 0:
		q.elsewhere(*last)
	default:
		s.TellChanged()
		return s.Listen()
	}
	return nil
}

// elsewhere answers for the stream of a POST that is not here.
func (q *request) elsewhere(last session.EventID) {
	answer := last.Elsewhere()
	if answer == nil {
		q.cannotResume(session.ErrElsewhere)
		return
	}
	defer answer.Free()
	q.begin()
	out := newEvents(q)
	out.event(session.Event{Message: answer})
	out.flush()
}
