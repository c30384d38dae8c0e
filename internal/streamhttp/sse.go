package streamhttp

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/session"
)

// The HTTP with SSE of 2024-11-05: a GET opens the session and is its only stream; its first event
// names the URL that messages are posted to.

// ServeSSE answers a GET: it opens a session, which ends with the connection. messages is the path
// for POSTs.
func (e *Endpoint) ServeSSE(w http.ResponseWriter, r *http.Request, caller Caller, messages string) {
	q := &request{Endpoint: e, w: w, r: r, caller: caller}
	q.enter()
	defer q.leave()
	if r.Method != http.MethodGet {
		q.methodNotAllowed("GET", "this endpoint of HTTP with SSE accepts only GET")
		return
	}
	if _, stream := q.accepts(); !stream {
		q.refuse(http.StatusNotAcceptable, codeInvalid, "Accept must list text/event-stream")
		return
	}
	limit, o := q.MaxStream, q.opening("")
	if !q.end.IsZero() { // a client cannot resume it, so it lasts as long as the host permits
		limit, o.Ends, o.HostLimit = q.HostLimit, q.end, q.HostLimit
	}
	s, err := q.Table.Open(q.ctx, o)
	if err != nil {
		q.failed(err, nil)
		return
	}
	defer s.Leave()
	defer s.Close("the client closed its stream")
	reader := s.Listen()
	defer reader.Leave()
	q.begin()
	out := newEvents(q)
	defer out.free()
	out.buffer().WriteString("event: endpoint\ndata: " + messages + "?sessionId=" + url.QueryEscape(s.Announce()) + key(r.URL.Query()) + "\n\n")
	if out.flush() != nil {
		return
	}
	out.follow(reader, q.r.Context().Done(), q.streamLimit(limit), e.Keepalive)
}

// key returns the part of a URL's query that carries a key of the Functions host, if there is one. A
// client that was let in by it knows no other way, so the URL that is announced has it too. The host
// does not mind the parameter's case, and takes the first.
func key(query url.Values) string {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if strings.EqualFold(name, "code") {
			return "&" + name + "=" + url.QueryEscape(query.Get(name))
		}
	}
	return ""
}

// ServeMessage answers a POST of one message to a session that ServeSSE opened.
func (e *Endpoint) ServeMessage(w http.ResponseWriter, r *http.Request, caller Caller) {
	q := &request{Endpoint: e, w: w, r: r, caller: caller}
	q.enter()
	defer q.leave()
	if r.Method != http.MethodPost {
		q.methodNotAllowed("POST", "this endpoint of HTTP with SSE accepts only POST")
		return
	}
	sid := r.URL.Query().Get("sessionId")
	s, err := q.Table.Find(q.key(sid))
	if errors.Is(err, session.ErrUnknown) && q.forwards() {
		m := q.body()
		if m == nil {
			return
		}
		defer m.Free()
		answered, why := q.pass(sid, m)
		if answered {
			return
		}
		err = cmp.Or(why, err)
	}
	if err != nil {
		q.failed(err, nil)
		return
	}
	defer s.Leave()
	if !q.welcome(s) {
		return
	}
	m := q.body()
	if m == nil {
		return
	}
	if !q.checked(m) {
		m.Free()
		return
	}
	q.alone[0] = m
	q.one[0] = q.observe(m, false)
	in(q.one[0], s)
	id := firstID(q.id[:0], q.alone[:])
	if _, err := s.Send(q.calling(session.OnListener), q.alone[:], session.OnListener, q.one[:]...); err != nil {
		q.failed(err, id)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
