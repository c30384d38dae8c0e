package mcpfunc

import (
	"regexp"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An Observer hears of every call, as Options.Observer: for traces and metrics. Package runtime/otel makes one of
// OpenTelemetry, which an app that does not import it has nothing of. Its methods are called from many goroutines at
// once, and must not wait.
type Observer interface {
	// Begin hears of a request before anything is done with it. It may put a trace of its own into c, of which the
	// server's process is told then: by the variable TRACEPARENT if the request starts it, and by "_meta" of the
	// request where the client has said one, or where Server.InjectTrace is set.
	Begin(c *Call)
	// End hears how the call ended. c is as Begin left it, with what is known since.
	End(c *Call)
	// Started hears that a process has said its first message, how long after its start, and the trace that the request
	// was in that it was started for; empty for none.
	Started(server string, took time.Duration, traceParent string)
	// Watch is called once, by New. stats returns the figures of the App.
	Watch(stats func() Stats)
	// Close is called once, by App.Close, after the last call.
	Close()
}

// A Call is one request of a client, as an Observer hears of it: without secrets, and names of others cut to 256 bytes.
type Call struct {
	Server  string
	Method  string // as "tools/call"
	Target  string // the name of the tool or prompt, or the URI of the resource; empty for none
	ID      string // of the request, as JSON
	Request string // the name that the Functions host has for the HTTP request; empty for none
	Modern  bool   // of a protocol version without sessions
	Start   time.Time
	In      int // bytes of the request

	TraceParent, TraceState string // of the client, as W3C Trace Context has them; empty for none

	// For End.
	Session                   string // by the name that the log has for it; empty for none
	ClientName, ClientVersion string // of the program, as it introduces itself
	Outcome                   string // "ok", "tool_error", "error", "cancelled", "timed_out", "failed", "refused" or "passed" (on to another instance)
	Code                      int    // of a JSON-RPC error; zero for none
	Reason                    string // of what is no answer of the server; may be empty
	Took                      time.Duration
	Out                       int // bytes of the answer

	State any // of the Observer
}

// An observer tells of the calls to one server: the audit, and the app's Observer.
type observer struct {
	app     *App
	server  *server
	audited bool
}

// observer returns who hears of the calls to s, or nil if nobody wants to.
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
	return a.opts.Auth != nil || spec.method.Method == config.AuthAzureOBO || spec.method.Method == config.AuthOAuth2Bearer
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
