package streamhttp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// post sends the messages of a POST and gives the answers.
func (q *request) post() {
	jsonBody, stream := q.accepts()
	m := q.early
	if !jsonBody && !stream {
		if m != nil {
			m.Free()
		}
		q.refuse(http.StatusNotAcceptable, codeInvalid, "Accept must list application/json and text/event-stream")
		return
	}
	if m == nil {
		m = q.body()
	}
	if m == nil {
		return
	}
	q.alone[0] = m
	messages := q.alone[:]
	defer func() { // of what was not sent
		for _, m := range messages {
			m.Free()
		}
	}()
	if m.Kind() != message.Batch && !q.checked(m) {
		return
	}
	if q.otherEra(m) {
		messages = nil
		return
	}
	q.one[0] = q.observe(m, false)
	s, opened, ok := q.session(m)
	if !ok {
		q.one[0].End(calls.Outcome{Kind: calls.Refused})
		return
	}
	defer s.Leave()
	of := q.one[:]
	if m.Kind() == message.Batch {
		if messages, ok = q.split(s, m); !ok {
			return
		}
	}
	if q.Calls != nil {
		if len(messages) > 1 {
			of = make([]*calls.Call, len(messages))
		}
		for i, m := range messages {
			if of[i] == nil {
				of[i] = q.observe(m, false)
			}
			in(of[i], s)
		}
	}
	id := firstID(q.id[:0], messages)
	initialize := len(messages) == 1 && isInitialize(messages[0]) // m is freed if it was a batch
	mode := session.OnStream
	if !stream {
		mode = session.AnswersOnly
	}
	sent := messages
	messages = nil
	a := &answer{
		request: *q, s: s, batch: len(sent) > 1, json: jsonBody, stream: stream,
		opened: opened, asks: id != nil, initialize: initialize,
	}
	if err := a.send(sent, mode, of); err != nil {
		for _, c := range of {
			c.End(noAnswer(err))
		}
		if opened {
			defer s.Abandon("no process could be started for it in time")
		}
		if a.begun {
			a.fail(err, id)
		} else {
			a.failed(err, id)
		}
		return
	}
	if a.reader == nil {
		q.w.WriteHeader(http.StatusAccepted)
		return
	}
	defer a.reader.Leave()
	switch err := a.write(); {
	case initialize && opened && err != nil:
		s.Abandon("the client disconnected before it received the session's id")
	case initialize && a.refused:
		s.Abandon("the server refused to initialize, or did not answer in time")
	}
}

// session finds or opens the session of a POST whose message, or batch, is m. It reports whether it
// opened one, and has answered when ok is false.
func (q *request) session(m *message.Message) (s *session.Session, opened, ok bool) {
	id, ok := q.sessionID()
	if !ok {
		return nil, false, false
	}
	initialize := isInitialize(m)
	var mid []byte
	if m.Kind() == message.Request {
		mid = m.Envelope().ID()
	}
	if id != "" && q.forwards() && !q.Table.Here(q.key(id)) {
		answered, err := q.pass(id, m)
		if err != nil {
			q.failed(err, mid)
		}
		if answered || err != nil {
			return nil, false, false
		}
	}
	var err error
	switch {
	case id == "" && initialize, q.chosen(id) && initialize:
		s, err = q.open(id, "", m)
		opened = true
	case id == "" && m.Kind() == message.Request && q.Anonymous:
		s, err = q.open("", q.version(), nil)
		opened = true
	case id == "":
		q.refuse(http.StatusBadRequest, codeInvalid, "missing session id: send initialize first, then the header Mcp-Session-Id from its answer")
		return nil, false, false
	default:
		s, err = q.Table.Find(q.key(id))
		switch {
		case !errors.Is(err, session.ErrUnknown):
		case initialize: // the client has kept the id of a session that is over, and initializes again
			s, err = q.open("", "", m)
			opened = true
		case session.Minted(id):
			if s, err = q.takeOver(id, m); s == nil && err == nil {
				return nil, false, false
			}
		case q.chosen(id) && m.Kind() == message.Request:
			s, err = q.open(id, q.version(), nil)
			opened = true
		}
	}
	if err != nil {
		if err = q.found(id, m, err); err != nil {
			q.failed(err, mid)
		}
		return nil, false, false
	}
	if !opened && !q.welcome(s) {
		s.Leave()
		return nil, false, false
	}
	return s, opened, true
}

// welcome tells the session of the caller's newer token, and reports whether the request may be
// passed on. It has answered when it may not.
func (q *request) welcome(s *session.Session) bool {
	child.Renew(s.Caller, q.caller.Value)
	if q.Refuse == nil {
		return true
	}
	answer, err := q.Refuse(s.Caller, q.caller.Value)
	switch {
	case err != nil:
		s.Close("its process can no longer serve the caller")
		q.failed(err, nil)
		return false
	case answer != nil:
		answer.ServeHTTP(q.w, q.r)
		return false
	}
	return true
}

// open opens a session: with an id that the client chose or a minted one, initialized by us in this version, or by
// the client, with m.
func (q *request) open(id, version string, m *message.Message) (*session.Session, error) {
	o := q.opening(id)
	o.Version, o.Initialize = version, m
	return q.Table.Open(q.ctx, o)
}

// opening names the session with this id to a Table.
func (q *request) opening(id string) session.Opening {
	return session.Opening{
		Server: q.Server, Principal: q.caller.Principal, Client: q.caller.Client, Caller: q.caller.Value,
		ID: id, Request: q.r.Header.Get(headerRequest),
	}
}

// version is the protocol version for a session that we initialize.
func (q *request) version() string { return cmp.Or(q.r.Header.Get(HeaderVersion), latest) }

// split returns the messages of a batch, instead of which it has answered when ok is false. Only
// the revision 2025-03-26 knows batches, and initialize may not be in one.
func (q *request) split(s *session.Session, batch *message.Message) (messages []*message.Message, ok bool) {
	defer batch.Free()
	if v := s.Protocol(); v != unversioned {
		q.refuse(http.StatusBadRequest, codeInvalid, "protocol version "+v+" does not allow batches: send one message per POST")
		return nil, false
	}
	messages, err := message.Split(batch)
	free := func() ([]*message.Message, bool) {
		for _, m := range messages {
			m.Free()
		}
		return nil, false
	}
	if err != nil || len(messages) == 0 || len(messages) > maxBatch {
		q.refuse(http.StatusBadRequest, codeInvalid, "invalid batch: want 1 to 64 messages")
		return free()
	}
	for _, m := range messages {
		if !q.checked(m) {
			return free()
		}
		if m.Envelope().Method() == "initialize" {
			q.refuse(http.StatusBadRequest, codeInvalid, "initialize cannot be in a batch")
			return free()
		}
	}
	return messages, true
}

// firstID is the id of the first request among messages, in room if it fits, or nil.
func firstID(room []byte, messages []*message.Message) []byte {
	for _, m := range messages {
		if m.Kind() == message.Request {
			return append(room, m.Envelope().ID()...)
		}
	}
	return nil
}

// get opens the standalone stream, or resumes a broken one.
func (q *request) get() {
	if _, stream := q.accepts(); !stream {
		q.refuse(http.StatusNotAcceptable, codeInvalid, "Accept must list text/event-stream; this URL is for MCP clients")
		return
	}
	id, ok := q.namedSession()
	if !ok {
		return
	}
	s, err := q.Table.Find(q.key(id))
	if errors.Is(err, session.ErrUnknown) {
		if answered, why := q.pass(id, nil); answered {
			return
		} else if why != nil {
			q.failed(why, nil)
			return
		}
		switch {
		case q.chosen(id):
			err = nil
		case q.away(id):
			return
		default:
			err = q.Table.CanTakeOver(q.ctx, q.opening(id))
		}
		if err == nil {
			q.awaitSession(id)
			return
		}
	}
	if err != nil {
		q.failed(err, nil)
		return
	}
	defer s.Leave()
	child.Renew(s.Caller, q.caller.Value)
	reader := q.listen(s)
	if reader == nil {
		return
	}
	defer reader.Leave()
	q.begin()
	q.stream(s, reader, nil)
}

// awaitSession holds a GET whose session is not here until a request opens it, by an id that the
// client chose, or brings it here. It starts nothing: a GET costs no process.
func (q *request) awaitSession(id string) {
	last, ok := q.lastEvent()
	if !ok {
		return
	}
	if last != nil && last.Stream > 0 {
		q.elsewhere(*last)
		return
	}
	whole := last == nil
	if last != nil {
		if f, err := q.Table.Follow(q.r.Context(), q.opening(id), *last); err == nil {
			whole = q.replay(f)
		}
	}
	q.begin()
	out := newEvents(q)
	defer out.free()
	out.comment("waiting for the session")
	end, cancel := context.WithTimeout(q.r.Context(), q.streamLimit(q.MaxStream))
	defer cancel()
	every := q.Keepalive
	if q.forwards() {
		every = min(every, ownerCheck)
	}
	for said := time.Now(); ; {
		if out.flush() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(end, every)
		s, err := q.Table.Await(ctx, q.key(id))
		cancel()
		if err != nil && end.Err() == nil && !errors.Is(err, admission.ErrClosed) {
			if answered, _ := q.pass(id, nil); answered { // it has been opened on another instance
				return
			}
		}
		switch {
		case err == nil:
			defer s.Leave()
			if !whole {
				s.NotifyChanged()
			}
			reader := s.Listen()
			defer reader.Leave()
			q.stream(s, reader, nil)
			return
		case end.Err() != nil || errors.Is(err, admission.ErrClosed):
			return
		}
		if time.Since(said) >= q.Keepalive {
			said = time.Now()
			out.comment("still waiting")
		}
	}
}

// ownerCheck is how often a GET that waits for its session asks whether another instance has it.
const ownerCheck = time.Second

// delete ends a session.
func (q *request) delete() {
	id, ok := q.namedSession()
	if !ok {
		return
	}
	if q.forwards() && !q.Table.Here(q.key(id)) {
		if answered, _ := q.pass(id, nil); answered { // else it ends where it is as soon as that is heard of there
			return
		}
	}
	if err := q.Table.Delete(q.ctx, q.opening(id)); err != nil {
		q.failed(err, nil)
		return
	}
	q.w.WriteHeader(http.StatusNoContent)
}
