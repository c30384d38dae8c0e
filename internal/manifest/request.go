package manifest

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// StatelessVersion is the protocol version without sessions whose answers may be known.
const StatelessVersion = "2026-07-28"

// Tried are the capabilities of clients for which a server is asked with all of them and with none, to see
// whether they change what it answers.
var Tried = json.RawMessage(`{"roots":{"listChanged":true},"sampling":{},"elicitation":{}}`)

// Ask returns a request of ours, except for initialize. capabilities are those of a conversation without a session;
// nil in one with. All requests have one id: the next is sent when the last was answered.
func Ask(method, cursor string, capabilities json.RawMessage) []byte {
	params := map[string]any{}
	if cursor != "" {
		params["cursor"] = cursor
	}
	if method == methodSetLevel {
		params["level"] = "info"
	}
	if capabilities != nil {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    StatelessVersion,
			"io.modelcontextprotocol/clientInfo":         map[string]string{"name": "mcpfunc", "version": "1"},
			"io.modelcontextprotocol/clientCapabilities": capabilities,
		}
	}
	text, err := json.Marshal(struct {
		Version string         `json:"jsonrpc"`
		ID      string         `json:"id"`
		Method  string         `json:"method"`
		Params  map[string]any `json:"params,omitempty"`
	}{"2.0", "mcpfunc-manifest", method, params})
	if err != nil {
		panic("manifest: " + err.Error()) // of what a Parse has read
	}
	return text
}

// maxRequest bounds a request whose answer may be known.
const maxRequest = 64 << 10

// asked is what counts of a request.
type asked struct {
	method string
	cursor string
	begins beginning // of one that begins a conversation, or of any without a session
	text   []byte    // all of it, where it is kept
}

// levels are those of logging/setLevel (MCP, server/utilities/logging, "Log Levels").
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// understand reads a request. It reports false for one that asks for more than what may be known.
func understand(m *message.Message) (a asked, ok bool) {
	e := m.Envelope()
	if m.Kind() != message.Request || m.Len() > maxRequest || e.Ambiguous() || e.WantsLog() {
		return asked{}, false
	}
	a.method = e.Method()
	switch a.method {
	case methodInitialize, methodDiscover, methodPing, methodSetLevel:
	default:
		if _, list := Lists[a.method]; !list {
			return asked{}, false
		}
	}
	if a.method != methodInitialize && a.method != methodSetLevel && !mentions(m, "params") {
		return a, true // as most lists are asked for
	}
	var r struct {
		Params map[string]json.RawMessage `json:"params"`
	}
	if json.Unmarshal(m.Bytes(), &r) != nil {
		return asked{}, false
	}
	if a.method == methodInitialize {
		a.begins = begin(r.Params["protocolVersion"], r.Params["capabilities"])
		return a, named(r.Params["clientInfo"])
	}
	for name, value := range r.Params {
		var text string
		switch {
		case name == "_meta":
			var meta map[string]json.RawMessage
			err := json.Unmarshal(value, &meta)
			if info, ok := meta["io.modelcontextprotocol/clientInfo"]; err != nil || ok && !named(info) {
				return asked{}, false
			}
			a.begins = begin(meta["io.modelcontextprotocol/protocolVersion"], meta["io.modelcontextprotocol/clientCapabilities"])
		case name == "cursor" && Lists[a.method] != "":
			if json.Unmarshal(value, &a.cursor) != nil {
				return asked{}, false
			}
		case name == "level" && a.method == methodSetLevel && json.Unmarshal(value, &text) == nil && slices.Contains(levels, text):
		default:
			return asked{}, false
		}
	}
	return a, a.method != methodSetLevel || r.Params["level"] != nil
}

// mentions reports whether word is in m, or could be, by an escape.
func mentions(m *message.Message, word string) bool {
	text := m.Small(0)
	return text == nil || bytes.Contains(text, []byte(word)) || bytes.IndexByte(text, '\\') >= 0 || bytes.Contains(bytes.ToLower(text), []byte(word))
}
