package streamhttp

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
)

// headerParam begins the names of header fields that repeat arguments of a tool.
const headerParam = "Mcp-Param-"

// paramsDiffer says how the header fields of a tools/call differ from its arguments, or returns "".
// Fields that no schema names are nobody's (2026-07-28, transports, "Server Behavior for Custom
// Headers").
func (q *request) paramsDiffer(w *pool.Worker, m *message.Message) string {
	if m.Envelope().Method() != "tools/call" {
		return ""
	}
	tool, _ := m.Name()
	headers := w.ParamHeaders(tool)
	if len(headers) == 0 {
		return ""
	}
	body := json.RawMessage(m.Bytes())
	for _, h := range headers {
		field := headerParam + h.Name
		argument := member(body, append([]string{"params", "arguments"}, h.Path...)...)
		if argument == nil {
			if len(q.r.Header.Values(field)) > 0 {
				return "the header " + field + " is there, and the argument is not"
			}
			continue
		}
		value, ok := q.header(field)
		if !ok {
			return "the header " + field + " is missing, comes twice or has characters that it may not"
		}
		if value, ok = decoded(value); !ok {
			return "the header " + field + " is not Base64 where it says so"
		}
		if !says(value, argument) {
			return "the header " + field + " is " + string(quote(value)) + ", and the argument is another"
		}
	}
	return ""
}

// member returns what stands at path in body, or nil if there is nothing or null.
func member(body json.RawMessage, path ...string) json.RawMessage {
	for _, name := range path {
		var object map[string]json.RawMessage // a struct would not mind the case of names
		if json.Unmarshal(body, &object) != nil {
			return nil
		}
		body = object[name]
	}
	if string(body) == "null" {
		return nil
	}
	return body
}

// says reports whether a header's value is that of a string, an integer or a boolean. Integers are
// compared as numbers ("Server Validation").
func says(header string, argument json.RawMessage) bool {
	var value any
	if json.Unmarshal(argument, &value) != nil {
		return false
	}
	switch v := value.(type) {
	case string:
		return header == v
	case bool:
		return header == strconv.FormatBool(v)
	case float64:
		n, err := strconv.ParseFloat(header, 64)
		return err == nil && n == v && v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return false
}
