package child

import (
	"errors"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Outcome is how a call ended that was answered with f.
func (f *Failure) Outcome() calls.Outcome {
	o := calls.Outcome{Kind: calls.Failed, Code: -32603, Reason: f.Reason}
	switch f.Reason {
	case ReasonSlow, ReasonTimeout:
		o.Kind = calls.TimedOut
	case ReasonCanceled:
		o.Kind = calls.Cancelled
	}
	return o
}

// Outcome is how a call ended that the server answered with m.
func Outcome(method string, m *message.Message) calls.Outcome {
	o := calls.Outcome{Kind: calls.OK, Out: m.Len()}
	switch {
	case m.Envelope().IsError():
		o.Kind, o.Code = calls.Error, m.ErrorCode()
	case method == "tools/call" && m.ToolError():
		o.Kind = calls.ToolError
	}
	return o
}

// NoAnswer is how a call ended that failed with err.
func NoAnswer(err error) calls.Outcome {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Outcome()
	}
	return calls.Outcome{Kind: calls.Cancelled}
}

// Tell makes m, a request, name the trace that c is in to the process: where it names one, or everywhere if
// inject is set.
func Tell(c *calls.Call, m *message.Message, inject bool) {
	if c == nil || c.Trace.Parent == "" {
		return
	}
	parent := []byte(`"` + c.Trace.Parent + `"`) // of hexadecimal digits
	if named, _ := m.TraceContext(); named != "" {
		m.Splice(message.Edit{Part: message.PartTrace, Text: parent})
	} else if inject {
		m.AddMeta("traceparent", parent)
	}
}
