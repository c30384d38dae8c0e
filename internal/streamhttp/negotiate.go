package streamhttp

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// versionSpoken reports whether the request's protocol version, if it names one, is spoken here: one
// of ours, or the one that its session negotiated, whatever that is. On initialize the body negotiates,
// and the header says nothing. It has answered when it returns false: with 400, and with the error by
// which a client of a newer revision learns what to fall back to (MCP 2026-07-28, basic/versioning).
func (q *request) versionSpoken() bool {
	v := q.r.Header.Get(HeaderVersion)
	if v == "" || slices.Contains(versions, v) {
		return true
	}
	spoken := q.protocol()
	if q.negotiated = spoken == v; q.negotiated || pool.Modern(v) {
		return true
	}
	if spoken == "" && session.Minted(q.r.Header.Get(HeaderSession)) {
		return true // and hear that there is no such session, of which who knows what it spoke
	}
	if spoken == "" && q.isElsewhere() {
		return true // and hear from there whether it is spoken
	}
	if q.r.Method != http.MethodPost {
		q.unsupported(v, nil, versions)
		return false
	}
	if !q.takesContent() {
		return false
	}
	m := message.New(&q.share)
	switch err := q.fill(m); {
	case err != nil || !m.IsContainer():
		q.unsupported(v, nil, versions)
		m.Free()
		return false
	case isInitialize(m):
		q.early = m
		return true
	case m.Kind() == message.Request && m.Envelope().Modern():
		q.stateless(m)
		return false
	}
	q.unsupported(v, firstID(q.id[:0], []*message.Message{m}), versions)
	m.Free()
	return false
}

// protocol is the version of the session that the request names, or "" without one.
func (q *request) protocol() string {
	id := q.r.Header.Get(HeaderSession)
	if id == "" {
		return ""
	}
	return q.Table.Protocol(q.opening(id))
}

// isElsewhere reports whether another instance has the session that the request names.
func (q *request) isElsewhere() bool {
	id := q.r.Header.Get(HeaderSession)
	if id == "" || !q.forwards() {
		return false
	}
	owner, err := q.Table.Owner(q.ctx, q.opening(id))
	return err == nil && owner != ""
}

// isInitialize reports whether m asks for a session.
func isInitialize(m *message.Message) bool {
	return m.Kind() == message.Request && m.Envelope().Method() == "initialize"
}

// usualAccept is what the SDKs send.
const usualAccept = "application/json, text/event-stream"

// accepts says what forms of answer the client takes. MCP demands that a POST lists both; one that
// says nothing takes anything (RFC 9110, section 12.5.1), and one that lists one gets that. Of two
// that it takes, jsonBody is false if it would rather have a stream: by weight, else by order.
func (q *request) accepts() (jsonBody, stream bool) {
	values := q.r.Header.Values("Accept")
	if len(values) == 0 || len(values) == 1 && values[0] == usualAccept {
		return true, true
	}
	var forJSON, forStream float64 // weights; a form that is named later loses a hair's breadth
	hair := 0.0
	for value := range strings.SplitSeq(strings.Join(values, ","), ",") {
		kind, params, err := mime.ParseMediaType(value)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if w, err := strconv.ParseFloat(q, 64); err == nil {
				weight = w
			}
		}
		if weight <= 0 {
			continue
		}
		weight -= hair
		hair += 1e-6
		switch kind {
		case "*/*":
			forJSON, forStream = max(forJSON, weight), max(forStream, weight)
		case "application/json", "application/*":
			forJSON = max(forJSON, weight)
		case "text/event-stream", "text/*":
			forStream = max(forStream, weight)
		}
	}
	return forJSON > 0 && forJSON >= forStream, forStream > 0
}

// sessionID returns the session id that the request names, or "". It has answered when it reports
// false.
func (q *request) sessionID() (string, bool) {
	id := q.r.Header.Get(HeaderSession)
	if id == "" {
		return "", true
	}
	if len(id) > maxID && !session.Minted(id) || strings.ContainsFunc(id, func(c rune) bool { return c < 0x21 || c > 0x7e }) {
		q.refuse(http.StatusBadRequest, codeInvalid, "invalid session id: want 1 to 128 visible ASCII characters")
		return "", false
	}
	return id, true
}

// namedSession is sessionID where there must be one.
func (q *request) namedSession() (id string, ok bool) {
	if id, ok = q.sessionID(); ok && id == "" {
		q.refuse(http.StatusBadRequest, codeInvalid, "missing session id: send the header Mcp-Session-Id")
		return "", false
	}
	return id, ok
}

// chosen reports whether id may name a session that its client opens by using it.
func (q *request) chosen(id string) bool {
	return id != "" && q.ClientIDs && !session.Minted(id)
}

func (q *request) key(id string) admission.Key {
	return admission.Key{Server: q.Server.Name, Principal: q.caller.Principal, Client: q.caller.Client, ID: id}
}

func quote(text string) []byte {
	quoted, _ := json.Marshal(text)
	return quoted
}
