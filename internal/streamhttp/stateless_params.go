package streamhttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
)

// headerParam begins the names of header fields that repeat arguments of a tool.
const headerParam = "Mcp-Param-"

// paramsDiffer says how the header fields of a tools/call differ from its arguments, or returns "".
// Fields that no schema names are ignored (2026-07-28, transports, "Server Behavior for Custom
// Headers").
func (q *request) paramsDiffer(w *pool.Worker, m *message.Message) string {
	if m.Envelope().Method() != "tools/call" {
		return ""
	}
	tool, _ := m.Name()
	headers, err := w.ParamHeaders(tool)
	if err != nil {
		return err.Error()
	}
	if len(headers) == 0 {
		return ""
	}
	arguments, err := headerArguments(q.ctx, m, headers)
	if err != nil {
		return err.Error()
	}
	for i, h := range headers {
		field, argument := headerParam+h.Name, arguments[i]
		if argument == nil {
			if len(q.r.Header.Values(field)) > 0 {
				return "the header " + field + " is present, but the argument is not"
			}
			continue
		}
		value, problem := q.repeated(field, true)
		if problem != "" {
			return problem
		}
		if !says(value, argument) {
			return "the header " + field + " is " + shown(value) + ", but the argument differs"
		}
	}
	return ""
}

// An argument is a place in a message where the value of a header may stand.
type argument struct {
	inner map[string]*argument
	value *json.RawMessage // where a header repeats it
	seen  bool
}

// at returns the place of a member, and makes it.
func (a *argument) at(name string) *argument {
	if a.inner == nil {
		a.inner = map[string]*argument{}
	}
	if a.inner[name] == nil {
		a.inner[name] = &argument{}
	}
	return a.inner[name]
}

// headerArguments returns the arguments that headers repeat, nil where one is absent or null. It reads the message
// once, whatever is in it and however many headers there are, and no further once ctx ends.
func headerArguments(ctx context.Context, m *message.Message, headers []pool.ParamHeader) ([]json.RawMessage, error) {
	var root argument
	values := make([]json.RawMessage, len(headers))
	for i, h := range headers {
		place := root.at("params").at("arguments")
		for _, name := range h.Path {
			place = place.at(name)
		}
		place.value = &values[i]
	}
	err := root.read(json.NewDecoder(wanted{ctx, m.Reader()}))
	for i, value := range values {
		if string(value) == "null" {
			values[i] = nil
		}
	}
	return values, err
}

// wanted is a reader that ends with ctx: nothing is read for a client that has left.
type wanted struct {
	ctx context.Context
	io.Reader
}

func (w wanted) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.Reader.Read(p)
}

var errTwice = errors.New("an argument that a header mirrors is repeated")

// read takes the next value, which begins at a.
func (a *argument) read(d *json.Decoder) error {
	if a.value != nil {
		return d.Decode(a.value)
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	opened, _ := t.(json.Delim)
	if opened == 0 {
		return nil // a scalar, in which there is nothing
	}
	for d.More() {
		inner := (*argument)(nil)
		if opened == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			inner = a.inner[name.(string)] // a struct would not mind the case of names
		}
		switch {
		case inner == nil:
			err = d.Decode(&ignored{})
		case inner.seen:
			err = errTwice
		default:
			inner.seen = true
			err = inner.read(d)
		}
		if err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// ignored is a value that is not used.
type ignored struct{}

// UnmarshalJSON does nothing.
func (*ignored) UnmarshalJSON([]byte) error { return nil }

// says reports whether a header's value is that of a string, an integer or a boolean. Integers are
// compared as numbers ("Server Validation").
func says(header string, argument json.RawMessage) bool {
	var value any
	if argument[0] == '{' || argument[0] == '[' || json.Unmarshal(argument, &value) != nil {
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
