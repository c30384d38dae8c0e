package message

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A Kind says what a message is by the members it has (JSON-RPC 2.0, sections 4 to 6).
type Kind uint8

// The kinds.
const (
	Invalid      Kind = iota // JSON, but not a JSON-RPC message
	Request                  // method and id
	Notification             // method, no id
	Response                 // id with result or error
	Batch                    // an array; MCP 2025-03-26 alone allows it
)

func (k Kind) String() string {
	return [...]string{"invalid message", "request", "notification", "response", "batch"}[k]
}

// An Envelope is what a relay knows of a message. The texts it returns are JSON, exactly as they
// are in the message, and valid as long as the Envelope is.
type Envelope struct {
	kind  Kind
	array bool
	seen  [members]form
	spans [members]span
	text  []byte // the kept texts, one after another

	places    [placed]place
	ambiguous bool
}

// A form is what kind of value a member has; the zero form says that it has none.
type form uint8

const (
	absent form = iota
	null        // as good as absent: there are serializers that write every member
	scalarString
	scalarOther // a number or a literal
	kindContainer
)

type span struct{ from, to int32 }

// A place is where the value of a member is in the message.
type place struct{ from, to int64 }

// Kind returns what the message is.
func (e *Envelope) Kind() Kind { return e.kind }

// Version reports whether the message says "jsonrpc": "2.0".
func (e *Envelope) Version() bool { return string(e.of(version)) == `"2.0"` }

// ID returns the id of a request or a response.
func (e *Envelope) ID() []byte { return e.of(id) }

// NullID reports whether the id is null, which no request may have ("basic", Requests).
func (e *Envelope) NullID() bool { return e.seen[id] == null }

// ProgressToken returns the token under which the sender of a request wants to hear of progress.
func (e *Envelope) ProgressToken() []byte { return e.of(progressToken) }

// ProgressOf returns the token that a progress notification carries.
func (e *Envelope) ProgressOf() []byte { return e.of(progressOf) }

// Cancels returns the id of the request that a cancellation names.
func (e *Envelope) Cancels() []byte { return e.of(cancelled) }

// RelatedTask returns the id of the task that the message says it belongs to.
func (e *Envelope) RelatedTask() []byte { return e.of(taskID) }

// TaskOf returns the id of the task that a request asks about.
func (e *Envelope) TaskOf() []byte { return e.of(taskOf) }

// IsError reports whether a response carries an error.
func (e *Envelope) IsError() bool { return e.present(failure) }

// Modern reports whether the message names its own protocol version, as every request does from
// 2026-07-28 on (basic, "_meta").
func (e *Envelope) Modern() bool { return e.present(protocol) }

// WantsLog reports whether a request asks for log messages while it runs (2026-07-28).
func (e *Envelope) WantsLog() bool { return e.seen[logLevel] == scalarString }

// Ambiguous reports whether two readers may understand the message differently: a key that counts
// comes twice, or once more in another case.
func (e *Envelope) Ambiguous() bool { return e.ambiguous }

// Method returns the method of a request or notification, or "".
func (e *Envelope) Method() string {
	text := e.of(method)
	if len(text) < 2 {
		return ""
	}
	if known, ok := methods[string(text[1:len(text)-1])]; ok {
		return known
	}
	return decoded(text)
}

// methods spares the usual names an allocation a message.
var methods = func() map[string]string {
	known := map[string]string{}
	for _, name := range []string{
		"initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read",
		"resources/templates/list", "resources/subscribe", "resources/unsubscribe", "prompts/list",
		"prompts/get", "completion/complete", "logging/setLevel", "sampling/createMessage",
		"elicitation/create", "roots/list", "notifications/initialized", "notifications/cancelled",
		"notifications/progress", "notifications/message", "notifications/tools/list_changed",
		"notifications/resources/updated", "notifications/resources/list_changed",
		"notifications/prompts/list_changed", "notifications/roots/list_changed",
		"server/discover", "subscriptions/listen", "notifications/subscriptions/acknowledged",
	} {
		known[name] = name
	}
	return known
}()

// FromClient reports whether the method is one that only clients use: from a server, such a message is
// what it was asked, and no question of its own.
func (e *Envelope) FromClient() bool {
	method := e.Method()
	switch method {
	case "initialize", "notifications/initialized", "completion/complete", "logging/setLevel", "notifications/roots/list_changed",
		"server/discover", "subscriptions/listen":
		return true
	}
	return strings.HasPrefix(method, "tools/") || strings.HasPrefix(method, "resources/") || strings.HasPrefix(method, "prompts/")
}

func (e *Envelope) of(m member) []byte {
	if !e.has(m) {
		return nil
	}
	return e.text[e.spans[m].from:e.spans[m].to]
}

// present reports whether the message has m, with a value.
func (e *Envelope) present(m member) bool { return e.seen[m] > null }

// has reports whether m is there and no object or array.
func (e *Envelope) has(m member) bool { return e.seen[m] == scalarString || e.seen[m] == scalarOther }

func (e *Envelope) note(m member, f form) {
	if m != none {
		e.seen[m] = f
	}
}

// open begins m, a scalar whose first byte is c, at this offset.
func (e *Envelope) open(m member, c byte, offset int64) {
	switch c {
	case '"':
		e.seen[m] = scalarString
	case 'n':
		e.seen[m] = null
	default:
		e.seen[m] = scalarOther
	}
	e.spans[m] = span{from: int32(len(e.text)), to: int32(len(e.text))}
	if m < placed {
		e.places[m].from = offset
	}
}

// close ends m, whose last byte stands before this offset.
func (e *Envelope) close(m member, offset int64) {
	e.spans[m].to = int32(len(e.text))
	if m < placed {
		e.places[m].to = offset
	}
}

// length is how much of m's text has been kept so far.
func (e *Envelope) length(m member) int { return len(e.text) - int(e.spans[m].from) }

// forget makes m void, and what is inside it: its key has come again.
func (e *Envelope) forget(m member) {
	e.ambiguous = e.ambiguous || e.seen[m] != absent && unique[m]
	e.seen[m] = absent
	for _, inner := range within[m] {
		e.seen[inner] = absent
	}
}

// settle decides what the message is, once it is complete.
func (e *Envelope) settle() {
	switch {
	case e.array:
		e.kind = Batch
	case e.seen[method] == scalarString && !e.present(id):
		e.kind = Notification
	case e.seen[method] == scalarString && e.idUsable():
		e.kind = Request
	case !e.present(method) && (e.seen[result] != absent || e.present(failure)) && e.idUsable(): // a result may be null
		e.kind = Response
	default:
		e.kind = Invalid
	}
}

// idUsable reports whether the id is a string or a number. MCP forbids null ("basic", Requests).
func (e *Envelope) idUsable() bool {
	switch e.seen[id] {
	case scalarString:
		return true
	case scalarOther:
		c := e.of(id)[0]
		return c == '-' || '0' <= c && c <= '9'
	}
	return false
}

// Key returns a form of an id or a token under which it is found again after a peer has decoded and
// encoded it: escapes in strings are undone, bytes that are no UTF-8 are what decoders put in their
// place, numbers stay as they are written.
func Key(text []byte) string {
	if len(text) > 1 && text[0] == '"' && !plain(text) {
		return `"` + decoded(text) + `"`
	}
	return string(text)
}

// decoded returns what a reader understands a JSON string to be, quotes in text included.
func decoded(text []byte) string {
	if inner := text[1 : len(text)-1]; plain(inner) {
		return string(inner)
	}
	return string(unescape(text[1 : len(text)-1]))
}

// plain reports whether a string stands for itself: it has no escape and is UTF-8.
func plain(text []byte) bool { return bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) }

// unescape returns the text between the quotes of a JSON string, without its escapes.
func unescape(text []byte) []byte {
	quoted := make([]byte, 0, len(text)+2)
	quoted = append(append(append(quoted, '"'), text...), '"')
	var plain string
	if json.Unmarshal(quoted, &plain) != nil {
		return text // cut off by a limit, so none of ours
	}
	return []byte(plain)
}
