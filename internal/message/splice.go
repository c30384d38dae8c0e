package message

import (
	"slices"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// A Part is a place in a message where a relay that shares one process between clients writes
// another value.
type Part uint8

// The parts. Ids and tokens are unique only among those of one sender, so that one process with
// many clients behind it must not see two that are the same (MCP 2026-07-28, basic, "Requests").
const (
	PartID           = Part(id)
	PartToken        = Part(progressToken) // of a request
	PartProgress     = Part(progressOf)    // of a progress notification
	PartCancels      = Part(cancelled)     // of a cancellation
	PartSubscription = Part(subscription)  // of a notification that a subscription brings
	PartClosing      = Part(closing)       // of the answer that ends a subscription
)

// Place returns where the value at a part is, which the message must have.
func (m *Message) Place(p Part) Span {
	at := m.Envelope().places[p]
	return Span{int(at.from), int(at.to)}
}

// An Edit puts a JSON text in place of the value at a part.
type Edit struct {
	Part Part
	Text []byte
}

// Splice makes the edits whose parts the message has, and leaves every other byte as it is. The
// texts of the envelope stay what they were before. It may be called only while nobody else holds
// the message.
func (m *Message) Splice(edits ...Edit) {
	e := m.Envelope()
	edits = slices.DeleteFunc(edits, func(x Edit) bool { return !e.has(member(x.Part)) })
	slices.SortFunc(edits, func(a, b Edit) int { // from the end, so that the places before stay where they are
		return int(e.places[b.Part].from - e.places[a.Part].from)
	})
	for _, x := range edits {
		at := e.places[x.Part]
		m.replace(int(at.from), int(at.to), x.Text)
		e.places[x.Part].to = at.from + int64(len(x.Text))
	}
}

// replace puts text in place of the bytes from to to, and notes where that moves the values behind them.
func (m *Message) replace(from, to int, text []byte) {
	longer := len(text) - (to - from)
	for i := range m.scan.env.places {
		if p := &m.scan.env.places[i]; p.from >= int64(to) {
			p.from, p.to = p.from+int64(longer), p.to+int64(longer)
		}
	}
	if m.dead {
		return
	}
	m.size += longer
	if len(m.pieces) == 0 {
		m.small = slices.Replace(m.small, from, to, text...)
		return
	}
	k := 0
	for ; from >= m.ends[k]; k++ {
		from, to = from-m.ends[k], to-m.ends[k]
	}
	for j := k + 1; to > m.ends[k]; j++ { // the value goes on in the next piece
		n := min(to-m.ends[k], m.ends[j])
		copy(m.pieces[j][:], m.pieces[j][n:m.ends[j]])
		m.ends[j] -= n
		to -= n
	}
	p, rest := m.pieces[k], m.ends[k]-to
	if from+len(text)+rest <= bufpool.Size {
		copy(p[from+len(text):], p[to:m.ends[k]])
		copy(p[from:], text)
		m.ends[k] = from + len(text) + rest
		return
	}
	more := bufpool.Get() // not charged: a message is spliced in a handful of places
	tail := copy(more[:], p[to:m.ends[k]])
	m.ends[k] = from
	if from+len(text) <= bufpool.Size {
		m.ends[k] += copy(p[from:], text)
	} else { // so the tail is small
		copy(more[len(text):], more[:tail])
		tail += copy(more[:], text)
	}
	m.pieces = slices.Insert(m.pieces, k+1, more)
	m.ends = slices.Insert(m.ends, k+1, tail)
}

// PartTrace is the context of a trace in which a request is made.
const PartTrace = Part(traceParent)

// AddMeta puts a member with this JSON text as its value into "_meta" of a request's params, which it makes if
// it is missing. It changes nothing and reports false where that would be another message to some reader: two
// keys are the same, or params are no object. It may be called only while nobody else holds the message.
func (m *Message) AddMeta(key string, value []byte) bool {
	e := m.Envelope()
	if e.ambiguous || m.dead || e.kind != Request && e.kind != Notification {
		return false
	}
	entry := append([]byte(`"`+key+`":`), value...)
	at := 0
	switch {
	case e.seen[meta] == kindContainer:
		at = int(e.places[meta].to)
	case e.seen[meta] != absent:
		return false
	case e.seen[params] == kindContainer:
		at = int(e.places[params].to)
		entry = slices.Concat([]byte(`"_meta":{`), entry, []byte("}"))
	case e.seen[params] != absent:
		return false
	default:
		at = m.find(0, '{') + 1
		entry = slices.Concat([]byte(`"params":{"_meta":{`), entry, []byte("}}"))
	}
	if m.byteAt(at-1) != '{' {
		return false // an array
	}
	if next := m.find(at, 0); m.byteAt(next) != '}' {
		entry = append(entry, ',')
	}
	m.replace(at, at, entry)
	return true
}

// find returns the place of the first byte from from on that is c, or, if c is 0, that is not a blank; -1 if there
// is no such byte.
func (m *Message) find(from int, c byte) int {
	for i := from; i < m.size; i++ {
		if b := m.byteAt(i); b == c || c == 0 && !blank(b) {
			return i
		}
	}
	return -1
}

// byteAt returns one byte, or 0 beyond the end.
func (m *Message) byteAt(i int) (c byte) {
	if i < 0 || i >= m.size {
		return 0
	}
	m.Each(func(part []byte) error {
		if i >= 0 && i < len(part) {
			c = part[i]
		}
		i -= len(part)
		return nil
	})
	return c
}

// text returns a copy of the JSON text of a scalar, or nil.
func (m *Message) text(of member) []byte {
	e := m.Envelope()
	if !e.has(of) || m.dead {
		return nil
	}
	from, to := int(e.places[of].from), int(e.places[of].to)
	text := make([]byte, 0, to-from)
	m.Each(func(part []byte) error {
		if from < len(part) && to > 0 {
			text = append(text, part[max(from, 0):min(to, len(part))]...)
		}
		from, to = from-len(part), to-len(part)
		return nil
	})
	return text
}

// word returns a string without its quotes and escapes.
func (m *Message) word(of member) (string, bool) {
	if m.Envelope().seen[of] != scalarString {
		return "", false
	}
	text := m.text(of)
	if text == nil {
		return "", false
	}
	return decoded(text), true
}

// ProtocolVersion returns the version that a request names in its "_meta".
func (m *Message) ProtocolVersion() (string, bool) { return m.word(protocol) }

// Name returns "name" of a request's params.
func (m *Message) Name() (string, bool) { return m.word(name) }

// URI returns "uri" of a request's params.
func (m *Message) URI() (string, bool) { return m.word(uri) }

// TraceContext returns the context of a trace that a request is made in, as its "_meta" says it (SEP-414).
func (m *Message) TraceContext() (parent, state string) {
	parent, _ = m.word(traceParent)
	state, _ = m.word(traceState)
	return parent, state
}

// ClientInfo returns how the program that makes a request names itself (2026-07-28, basic, "_meta").
func (m *Message) ClientInfo() (name, version string) {
	name, _ = m.word(clientName)
	version, _ = m.word(clientVersion)
	return name, version
}

// ToolError reports whether the result of a tool says that it is an error.
func (m *Message) ToolError() bool { return string(m.text(toolError)) == "true" }

// RequestState returns what a server that needs input wants to have back, in its answer, or in the request
// that brings it back (2026-07-28, patterns, "Multi Round-Trip Requests").
func (m *Message) RequestState() (string, bool) {
	if text, ok := m.word(retryState); ok {
		return text, true
	}
	return m.word(resultState)
}

// Subscription returns the id of the subscription that brings a notification, as JSON, or nil.
func (m *Message) Subscription() []byte { return m.text(subscription) }

// ErrorCode returns the code of an error response, or 0.
func (m *Message) ErrorCode() int {
	code, err := strconv.Atoi(string(m.text(code)))
	if err != nil {
		return 0
	}
	return code
}
