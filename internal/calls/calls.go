// Package calls reports what becomes of clients' requests, over every transport, for the audit log and for
// traces. It knows neither HTTP nor sessions.
package calls

import (
	"sync/atomic"
	"time"
)

// An Observer hears of calls. Its methods may be called from any goroutine, never with a lock held, and must
// not wait for a client or a process.
type Observer interface {
	// Begin hears of a request before anything is done with it. It may put another Trace in the place of
	// the client's, which the process is told then.
	Begin(*Call)
	// End hears how it ended, once.
	End(*Call, Outcome)
}

// A Call is one request of a client, from its arrival to its answer.
type Call struct {
	Caller    any    // who asks: the value that their process is launched for
	Method    string // as "tools/call"
	Target    string // the name of the tool or prompt, or the URI of the resource; empty for none
	ID        string // of the request, as JSON
	Request   string // the name that the Functions host has for the HTTP request; empty for none
	Modern    bool   // of a protocol version without sessions
	At        time.Time
	In        int    // bytes of the request
	Arguments []byte // params.arguments, as JSON, where Observer wants them; nil for none
	Trace     Trace

	// What is known only later, before the request is passed on.
	Session string // as the log has it; empty for none
	Client  Client

	State any // of the Observer

	observer Observer
	ended    atomic.Bool
}

// A Client is the program that asks, as it introduces itself.
type Client struct{ Name, Version string }

// A Trace is the context of a trace (W3C Trace Context). The zero Trace means no trace.
type Trace struct{ Parent, State string }

// Begin returns c, of which o hears. Of a nil Observer nobody hears.
func Begin(o Observer, c *Call) *Call {
	c.observer = o
	o.Begin(c)
	return c
}

// End says how the call ended. Only the first call counts. The nil Call has nobody who hears.
func (c *Call) End(o Outcome) {
	if c != nil && !c.ended.Swap(true) {
		c.observer.End(c, o)
	}
}

// An Outcome is how a call ended.
type Outcome struct {
	Kind   Kind
	Code   int    // of a JSON-RPC error; zero for none
	Reason string // of what is neither an answer of the server nor the client's doing
	Out    int    // bytes of the answer
}

// A Kind of outcome.
type Kind string

// The kinds.
const (
	OK        Kind = "ok"
	ToolError Kind = "tool_error" // the result says isError
	Error     Kind = "error"      // the server answered with a JSON-RPC error
	Cancelled Kind = "cancelled"  // by the client, or because it went away
	TimedOut  Kind = "timed_out"
	Failed    Kind = "failed"  // the server died, or could not be started, or gave no answer that could be passed on
	Refused   Kind = "refused" // by us, before the server saw it
	Passed    Kind = "passed"  // on to another instance, which says how it ended
)
