package mcpfunc

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// tracer is an Observer that gives every call a trace of its own, in that of its client.
type tracer struct {
	mu      sync.Mutex
	calls   []*Call
	begun   int
	started []string
	stats   func() Stats
	closed  bool
}

func (tr *tracer) Begin(c *Call) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.begun++
	trace := fmt.Sprintf("%032x", tr.begun)
	if parts := strings.Split(c.TraceParent, "-"); len(parts) == 4 {
		trace = parts[1]
	}
	c.State = c.TraceParent
	c.TraceParent = fmt.Sprintf("00-%s-%016x-01", trace, tr.begun)
}

func (tr *tracer) End(c *Call) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.calls = append(tr.calls, c)
}

func (tr *tracer) Started(_ string, _ time.Duration, parent string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.started = append(tr.started, parent)
}

func (tr *tracer) Watch(stats func() Stats) { tr.stats = stats }
func (tr *tracer) Close()                   { tr.closed = true }

// ended returns the calls that have ended, once there are n.
func (tr *tracer) ended(t *testing.T, n int) []*Call {
	t.Helper()
	var calls []*Call
	if !testlimit.Eventually(func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		calls = tr.calls
		return len(calls) >= n
	}) {
		t.Fatalf("%d calls have ended, want %d", len(calls), n)
	}
	return calls
}

const clientTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestProcessIsToldTheTraceOfACall(t *testing.T) {
	for _, inject := range []bool{false, true} {
		tr := &tracer{}
		s := self("fake")
		s.InjectTrace = inject
		app, srv := newApp(t, &Config{Servers: []Server{s}}, &Options{Logger: slog.New(slog.DiscardHandler), Observer: tr})
		c := &client{t: t, url: srv.URL + "/api/mcp", header: map[string][]string{"Traceparent": {clientTrace}}}
		if _, err := c.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil {
			t.Fatal(err)
		}
		if got := c.env("TRACEPARENT"); got != "00-0af7651916cd43dd8448eb211c80319c-0000000000000001-01" {
			t.Errorf("the process has the trace %q", got)
		}
		none, err := c.tool("trace", "") // its "_meta" says no trace
		want := ""
		if inject {
			want = "00-0af7651916cd43dd8448eb211c80319c-0000000000000003-01"
		}
		if err != nil || none != want {
			t.Errorf("inject %v: told %q, want %q (%v)", inject, none, want, err)
		}
		own := "00-11111111111111111111111111111111-2222222222222222-00"
		got, err := c.send("tools/call", `{"name":"trace","arguments":{},"_meta":{"a":1,"traceparent":"`+own+`"}}`)
		if err != nil || !strings.Contains(got, "00-11111111111111111111111111111111-0000000000000004-01") {
			t.Errorf("inject %v: told %s (%v)", inject, got, err)
		}
		c.tool("fail", "")
		calls := tr.ended(t, 5)
		for i, want := range []Call{
			{Method: "initialize", Outcome: "ok", State: clientTrace},
			{Method: "tools/call", Target: "env", Outcome: "ok", State: clientTrace},
			{Method: "tools/call", Target: "trace", Outcome: "ok", State: clientTrace},
			{Method: "tools/call", Target: "trace", Outcome: "ok", State: own},
			{Method: "tools/call", Target: "fail", Outcome: "tool_error", State: clientTrace},
		} {
			got := *calls[i]
			if got.Server != "fake" || got.ClientName != "t" || got.Session == "" || got.In == 0 || got.Out == 0 || got.Took <= 0 {
				t.Errorf("call %d: %+v", i, got)
			}
			if (Call{Method: got.Method, Target: got.Target, Outcome: got.Outcome, State: got.State}) != want {
				t.Errorf("call %d: %+v, want %+v", i, got, want)
			}
		}
		if n := tr.stats().Sessions; n != 1 || len(tr.started) != 1 || !strings.HasSuffix(tr.started[0], "-0000000000000001-01") {
			t.Errorf("%d sessions, started %q", n, tr.started)
		}
		if app.Close(); !tr.closed {
			t.Error("the observer was not closed")
		}
	}
}

// Without an Observer the bytes of a trace are the client's and the process's alone.
func TestTracesPassWithoutAnObserver(t *testing.T) {
	s := self("fake")
	s.InjectTrace = true
	_, srv := newApp(t, &Config{Servers: []Server{s}, Audit: "calls"}, nil)
	c := connect(t, srv.URL+"/api/mcp")
	for _, odd := range []string{clientTrace, "not-a-trace"} {
		if got, err := c.send("tools/call", `{"name":"trace","arguments":{},"_meta":{"traceparent":"`+odd+`"}}`); err != nil || !strings.Contains(got, odd) {
			t.Errorf("told %s (%v), want %s", got, err, odd)
		}
	}
	if got, err := c.tool("trace", ""); got != "" || err != nil {
		t.Errorf("a trace from nowhere: %q (%v)", got, err)
	}
	if got := c.env("TRACEPARENT"); got != "" {
		t.Errorf("the process has the trace %q", got)
	}
}
