package streamhttp

import (
	"cmp"
	"encoding/base64"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// The header fields that repeat what the body says, for proxies that route by them (2026-07-28,
// transports, "Request Metadata").
const (
	HeaderMethod = "Mcp-Method"
	HeaderName   = "Mcp-Name"
)

// mismatch returns the code and text of an error if the headers of a request do not say what its
// body says, or if two readers could take the body for different requests; else 0.
func (q *request) mismatch(m *message.Message) (code int, text string) {
	if m.Envelope().Ambiguous() {
		return codeInvalid, "the request repeats a member that matters"
	}
	version, ok := m.ProtocolVersion()
	if _, problem := q.repeated(HeaderVersion, false); !ok && problem == "" {
		return codeParams, `"_meta" lacks "io.modelcontextprotocol/protocolVersion"`
	}
	method := m.Envelope().Method()
	text = cmp.Or(q.differs(HeaderVersion, version), q.differs(HeaderMethod, method))
	switch {
	case text != "":
	case method == "tools/call", method == "prompts/get":
		name, _ := m.Name()
		text = q.differs(HeaderName, name)
	case method == "resources/read":
		uri, _ := m.URI()
		text = q.differs(HeaderName, uri)
	}
	if text != "" {
		return codeHeaderMismatch, text
	}
	return 0, ""
}

// differs says how the header field differs from the body's value, or returns "".
func (q *request) differs(field, body string) string {
	value, problem := q.repeated(field, field == HeaderName)
	if problem == "" && value != body {
		problem = "the header " + field + " is " + shown(value) + ", but the body says " + shown(body)
	}
	return problem
}

// maxShown is how many bytes of a value an error shows.
const maxShown = 128

// shown quotes the beginning of a value of the client's for an error.
func shown(value string) string {
	if len(value) <= maxShown {
		return string(quote(value))
	}
	return string(quote(strings.ToValidUTF8(value[:maxShown], ""))) + "…"
}

// repeated returns the value of a header field that repeats a part of the body, and may be in its Base64 form
// if encoded is set, or says what is wrong with it. It is present once, and visible ASCII, blanks and tabs
// (transports, "Value Encoding").
func (q *request) repeated(field string, encoded bool) (value, problem string) {
	values := q.r.Header.Values(field)
	if len(values) != 1 || strings.ContainsFunc(values[0], func(c rune) bool { return c != '\t' && (c < ' ' || c > '~') }) {
		return "", "the header " + field + " is missing, repeated, or has invalid characters"
	}
	if !encoded {
		return values[0], ""
	}
	value, ok := decoded(values[0])
	if !ok {
		return "", "the header " + field + " is marked as Base64 but is not Base64"
	}
	return value, ""
}

// decoded undoes the Base64 form of a header value, =?base64?…?=, if it has it.
func decoded(value string) (string, bool) {
	inner, ok := strings.CutPrefix(value, "=?base64?")
	if !ok {
		return value, true
	}
	if inner, ok = strings.CutSuffix(inner, "?="); !ok {
		return value, true
	}
	plain, err := base64.StdEncoding.Strict().DecodeString(inner)
	return string(plain), err == nil
}
