package streamhttp

import (
	"errors"
	"net/http"

	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// What a client gets that asks for the events after one, when that is of another life of its session:
// of a process that has ended, or on another instance. Where instances share events it gets them.
// Otherwise, and as soon as one is not to be had, nothing is left out in silence:
//
//   - Of the standalone stream: the stream as it is now, after word that lists may have changed. A
//     refusal would end the session of clients that take any for its end.
//   - Of a POST with one request: an error as the answer to that, at once. Clients that are refused
//     would reconnect, and then wait for an answer that never comes.
//   - Of any other: 400, and if the stream has begun, its end, after which the client comes again.

// lastEvent is the event after which the client wants to go on; nil if it begins. It has answered
// when it reports false.
func (q *request) lastEvent() (*stream.EventID, bool) {
	last := q.r.Header.Get(headerResume)
	if last == "" {
		return nil, true
	}
	e, err := stream.ParseEventID(last)
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
func (q *request) listen(s *session.Session) *stream.Reader {
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
	case !errors.Is(err, stream.ErrElsewhere):
		q.cannotResume(err)
	default:
		f, err := s.Follow(q.r.Context(), *last)
		switch {
		case last.Stream == 0:
			if err != nil || !q.replay(f) {
				s.NotifyChanged()
			}
			return s.Listen()
		case err == nil:
			q.goOn(f, *last)
		default:
			q.elsewhere(*last)
		}
	}
	return nil
}

// away goes on with the stream of a POST in a session that is not here. It reports false if that
// cannot be, and it has not answered.
func (q *request) away(id string) bool {
	last, err := stream.ParseEventID(q.r.Header.Get(headerResume))
	if err != nil || last.Stream == 0 {
		return false
	}
	f, err := q.Table.Follow(q.r.Context(), q.opening(id), last)
	if err != nil {
		return false
	}
	q.goOn(f, last)
	return true
}

// goOn gives what f brings.
func (q *request) goOn(f *stream.Follower, last stream.EventID) {
	defer f.Leave()
	q.begin()
	q.give(f, last.String(), f.Protocol())
}

// replay gives what f brings of a standalone stream, after which it goes on with that of this instance.
// It reports whether nothing was lost.
func (q *request) replay(f *stream.Follower) bool {
	defer f.Leave()
	q.begin()
	out := newEvents(q)
	defer out.free()
	out.comment("ok")
	return out.follow(f, q.r.Context().Done(), q.streamLimit(q.MaxStream), q.Keepalive) && f.Whole()
}

// elsewhere answers for the stream of a POST that is not to be had here.
func (q *request) elsewhere(last stream.EventID) {
	answer := session.Elsewhere(last)
	if answer == nil {
		q.cannotResume(stream.ErrElsewhere)
		return
	}
	q.begin()
	q.tell(answer)
}
