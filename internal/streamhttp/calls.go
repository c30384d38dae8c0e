package streamhttp

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// The header fields of W3C Trace Context.
const (
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
)

// maxArguments bounds the messages whose arguments an observer gets to see.
const maxArguments = 256 << 10

// observe says that m, a request, has come; it returns nil without an observer, or if m is not a request.
func (q *request) observe(m *message.Message, modern bool) *calls.Call {
	if q.Calls == nil || m.Kind() != message.Request {
		return nil
	}
	e := m.Envelope()
	c := &calls.Call{
		Caller: q.caller.Value, Method: e.Method(), ID: string(e.ID()), Request: q.r.Header.Get(headerRequest),
		Modern: modern, At: time.Now(), In: m.Len(),
	}
	switch c.Method {
	case "tools/call", "prompts/get":
		c.Target, _ = m.Name()
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		c.Target, _ = m.URI()
	case "initialize":
		c.Client = session.ClientOf(m.Bytes())
	}
	c.Trace = q.trace(m)
	if modern {
		c.Client.Name, c.Client.Version = m.ClientInfo()
	}
	if q.WantsArguments && c.Method == "tools/call" && m.Len() <= maxArguments {
		c.Arguments = argumentsOf(m)
	}
	return calls.Begin(q.Calls, c)
}

// trace is the trace that m says it is in, or else that of the HTTP request. Where both are in one trace the latter
// is nearer: the host has made a span of its own in it.
func (q *request) trace(m *message.Message) calls.Trace {
	header := calls.Trace{Parent: q.r.Header.Get(headerTraceParent), State: q.r.Header.Get(headerTraceState)}
	parent, state := m.TraceContext()
	if parent == "" || len(parent) == len(header.Parent) && len(parent) > traceIDEnd && parent[:traceIDEnd] == header.Parent[:traceIDEnd] {
		return header
	}
	return calls.Trace{Parent: parent, State: state}
}

// traceIDEnd is where the id of a trace ends in its context.
const traceIDEnd = len("00-0af7651916cd43dd8448eb211c80319c")

// argumentsOf returns params.arguments as it stands, or nil.
func argumentsOf(m *message.Message) []byte {
	var r struct {
		Params struct {
			Arguments json.RawMessage `json:"arguments"`
		} `json:"params"`
	}
	if json.Unmarshal(m.Bytes(), &r) != nil {
		return nil
	}
	return r.Params.Arguments
}

// in says that a call goes to s.
func in(c *calls.Call, s *session.Session) {
	if c != nil {
		session.Introduce(s, c)
	}
}

// noAnswer is how a call ended that failed with err before it was passed on.
func noAnswer(err error) calls.Outcome {
	full, isFull := errors.AsType[*admission.FullError](err)
	_, isBusy := errors.AsType[*admission.BusyError](err)
	_, isFailure := errors.AsType[*child.Failure](err)
	refused := func(reason string) calls.Outcome { return calls.Outcome{Kind: calls.Refused, Reason: reason} }
	switch {
	case err == nil || errors.Is(err, context.Canceled) || isFailure:
		return child.NoAnswer(err)
	case isFull:
		return refused("full: " + full.What)
	case isBusy:
		return refused("too_many_requests")
	case errors.Is(err, admission.ErrClosed):
		return refused("shutting_down")
	case errors.Is(err, session.ErrUnknown):
		return refused("unknown_session")
	case errors.Is(err, session.ErrDuplicate):
		return refused("duplicate_id")
	}
	return calls.Outcome{Kind: calls.Failed, Reason: "internal_error"}
}
