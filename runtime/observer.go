package mcpfunc

import (
	"regexp"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An Observer is told about every call, for traces and metrics; see Options.Observer. Package runtime/otel
// implements it for OpenTelemetry; an app that does not import that package contains none of it. The methods
// are called from many goroutines at once and must not block.
type Observer interface {
	// Begin is called before anything is done with a request. It may replace the trace in c. The process is
	// told the trace: by the variable TRACEPARENT if the request starts the process, and in "_meta" of the
	// request if the client sent one there, or if Server.InjectTrace is set.
	Begin(c *Call)
	// End is called once, when the call has ended, with the Call of Begin and what has become known since.
	End(c *Call)
	// Started is called when a process has sent its first message: how long after its start, and in which trace
	// the request that started it was; empty if in none.
	Started(server string, took time.Duration, traceParent string)
	// Watch is called once, by New. stats returns the current figures of the App.
	Watch(stats func() Stats)
	// Close is called once, by App.Close, after the last call.
	Close()
}

// A Call is one request of a client, as an Observer sees it: without secrets, and with texts from outside cut to
// 256 bytes.
type Call struct {
	Server  string
	Method  string // such as "tools/call"
	Target  string // name of the tool or prompt, or URI of the resource; may be empty
	ID      string // of the request, as JSON
	Request string // invocation id of the Functions host; may be empty
	Modern  bool   // of a protocol version without sessions
	Start   time.Time
	In      int // size of the request in bytes

	TraceParent, TraceState string // trace of the client (W3C Trace Context); empty for none

	// Set for End.
	Session                   string // name of the session in the log, which is not its id; may be empty
	ClientName, ClientVersion string // of the client program, as it introduces itself
	Outcome                   string // "ok", "tool_error", "error", "cancelled", "timed_out", "failed", "refused" or "passed" (forwarded to another instance)
	Code                      int    // of a JSON-RPC error; zero for none
	Reason                    string // why the server did not answer; may be empty
	Took                      time.Duration
	Out                       int // size of the answer in bytes

	State any // for the Observer's own use
}

// An observer tells of the calls to one server: the audit, and the app's Observer.
type observer struct {
	app     *App
	server  *server
	audited bool
}

// observer returns the observer of calls to s, or nil without one.
func (a *App) observer(s *server) calls.Observer {
	audited := a.audited(s.spec)
	if !audited && a.opts.Observer == nil {
		return nil
	}
	return &observer{app: a, server: s, audited: audited}
}

// audited reports whether the log has a line per call to a server.
func (a *App) audited(spec Server) bool {
	switch config.Audit(a.cfg.Audit) {
	case config.AuditCalls:
		return true
	case config.AuditOff:
		return false
	}
	return a.verifies(spec)
}

// traceParent is the form of a context that a process may be told of (W3C Trace Context, version 0).
var traceParent = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// Begin implements calls.Observer.
func (o *observer) Begin(c *calls.Call) {
	if o.app.opts.Observer == nil {
		c.Trace = calls.Trace{} // it is the client's and the process's alone
		return
	}
	id, clean := c.Caller.(*identity), o.app.audit
	told := &Call{
		Server: o.server.spec.Name, Method: clean.text(id, c.Method), Target: clean.text(id, c.Target), ID: clean.text(id, c.ID), Request: c.Request, Modern: c.Modern,
		Start: c.At, In: c.In, TraceParent: c.Trace.Parent, TraceState: c.Trace.State,
	}
	o.app.opts.Observer.Begin(told)
	c.State, c.Trace = told, calls.Trace{}
	if traceParent.MatchString(told.TraceParent) {
		c.Trace = calls.Trace{Parent: told.TraceParent, State: told.TraceState}
		id.trace.Store(&c.Trace)
	}
}

// End implements calls.Observer.
func (o *observer) End(c *calls.Call, how calls.Outcome) {
	took := time.Since(c.At)
	if o.audited && how.Kind != calls.Passed {
		o.app.audit.line(o.server, c, how, took)
	}
	if told, ok := c.State.(*Call); ok {
		id, clean := c.Caller.(*identity), o.app.audit
		told.Session, told.ClientName, told.ClientVersion = c.Session, clean.text(id, c.Client.Name), clean.text(id, c.Client.Version)
		told.Outcome, told.Code, told.Reason, told.Took, told.Out = string(how.Kind), how.Code, how.Reason, took, how.Out
		o.app.opts.Observer.End(told)
	}
}

// answered tells the app's Observer that a process of a server has said its first message.
func (a *App) answered(spec Server) func(caller any, took time.Duration) {
	if a.opts.Observer == nil {
		return nil
	}
	return func(caller any, took time.Duration) {
		parent := ""
		if id, ok := caller.(*identity); ok {
			if t := id.trace.Load(); t != nil {
				parent = t.Parent
			}
		}
		a.opts.Observer.Started(spec.Name, took, parent)
	}
}
