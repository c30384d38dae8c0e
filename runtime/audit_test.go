package mcpfunc

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// audited returns the lines of the audit in a log, once there are n, without what differs from run to run.
func audited(t *testing.T, log *journal, n int) []map[string]any {
	t.Helper()
	var lines []map[string]any
	eventually(t, "the audit has its lines", func() bool {
		lines = nil
		for line := range strings.Lines(log.String()) {
			var l map[string]any
			if json.Unmarshal([]byte(line), &l) == nil && l["msg"] == auditMessage {
				lines = append(lines, l)
			}
		}
		return len(lines) >= n
	})
	for _, l := range lines {
		for _, key := range []string{"time", "duration_ms", "session", "bytes_in", "bytes_out"} {
			if v, ok := l[key]; !ok && key != "session" || v == "" {
				t.Errorf("no %s: %v", key, l)
			}
			delete(l, key)
		}
		delete(l, "msg")
		delete(l, "level")
	}
	return lines
}

func TestEveryCallHasALineWithItsUser(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.LogLevel = slog.LevelError // of which the audit knows nothing
		cfg.Servers[entraServer].AuditArguments = []string{"text", "count", "none"}
	})
	c := l.connect(t, "entra", l.token(alice))
	c.tool("echo", `"text":"with ghp_0123456789abcdefghij0123456789abcdef in it","count":7,"secret":"not shown"`)
	c.do("POST", `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"fail","arguments":{}}}`)
	c.do("POST", `{"jsonrpc":"2.0","id":"y","method":"resources/read","params":{"uri":"db://me:canary-password@host/1"}}`)
	c.do("POST", `{"jsonrpc":"2.0","id":"z","method":"tools/call","params":{"name":"crash","arguments":{}}}`)
	open := l.connect(t, "open", "") // whose callers nobody knows
	open.tool("echo", `"text":"a"`)
	base := map[string]any{
		"server": "entra", "user_tenant": tenant, "user": alice, "app": editor, "client": "t", "client_version": "1", "outcome": "ok",
	}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{base, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	want := []map[string]any{
		with(map[string]any{"method": "initialize"}),
		with(map[string]any{"method": "tools/call", "tool": "echo", "arguments": map[string]any{"text": "with [redacted] in it", "count": "7"}}),
		with(map[string]any{"method": "tools/call", "tool": "fail", "outcome": "tool_error"}),
		with(map[string]any{"method": "resources/read", "resource": "db://me:[redacted]@host/1"}),
		with(map[string]any{"method": "tools/call", "tool": "crash", "outcome": "failed", "code": -32603.0, "reason": "exited"}),
	}
	if diff := cmp.Diff(want, audited(t, &l.log, len(want))); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"canary-password", "ghp_0123", "not shown", c.session} {
		if strings.Contains(l.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestOutcomesOfCallsWithoutASession(t *testing.T) {
	var log journal
	client, app := statelessApp(t)
	app.audit.log = slog.New(slog.NewJSONHandler(&log, nil))
	app.servers[0].endpoint.Calls = &observer{app: app, server: app.servers[0], audited: true}
	if got, err := statelessCall(t.Context(), client, "echo", "a", 0); err != nil {
		t.Fatal(got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if got, err := statelessCall(ctx, client, "late", "b", 0); err == nil {
			t.Errorf("who hung up got %s", got)
		}
	})
	eventually(t, "the call is made", func() bool {
		app.mu.Lock()
		defer app.mu.Unlock()
		return app.posts == 1
	})
	cancel()
	all.Wait()
	want := []map[string]any{
		{"server": "fake", "method": "tools/call", "tool": "echo", "outcome": "ok"},
		{"server": "fake", "method": "tools/call", "tool": "late", "outcome": "cancelled"},
	}
	if diff := cmp.Diff(want, audited(t, &log, 2)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestRefusedAndSlowCallsAreAudited(t *testing.T) {
	var log journal
	s := self("fake")
	s.MaxSessions, s.RequestTimeout = 1, 50*time.Millisecond
	_, srv := newApp(t, &Config{Servers: []Server{s}, Audit: "calls"}, &Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	c := connect(t, srv.URL+"/api/mcp")
	listening := c.begin("GET", "") // so that it is not idle
	defer listening.Body.Close()
	c.do("POST", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":600000}}}`)
	audited(t, &log, 2) // the line of a call comes after its answer
	other := &client{t: t, url: c.url}
	if r := other.do("POST", initialize); r.status != http.StatusServiceUnavailable {
		t.Errorf("a session too many: %+v", r)
	}
	if r := other.do("POST", listTools, "Mcp-Session-Id: "+unknownID); r.status != http.StatusNotFound {
		t.Errorf("an id that nobody has: %+v", r)
	}
	of := map[string]any{"server": "fake", "client": "t", "client_version": "1", "method": "initialize", "outcome": "ok"}
	want := []map[string]any{
		of,
		{"server": "fake", "client": "t", "client_version": "1", "method": "tools/call", "tool": "sleep", "outcome": "timed_out", "code": -32603.0, "reason": "request_timeout"},
		{"server": "fake", "client": "t", "client_version": "1", "method": "initialize", "outcome": "refused", "reason": "full: this server has reached its limit"},
		{"server": "fake", "method": "tools/list", "outcome": "refused", "reason": "unknown_session"},
	}
	if diff := cmp.Diff(want, audited(t, &log, len(want))); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestWhatThePolicyRefusesIsAudited(t *testing.T) {
	l := newAuthLab(t, requiring)
	c := l.connect(t, "entra", l.token(alice))
	c.do(http.MethodPost, called("echo"))
	c.do(http.MethodPost, called("crash"))
	var got [][3]any
	for _, line := range audited(t, &l.log, 3) {
		got = append(got, [3]any{line["tool"], line["outcome"], line["reason"]})
	}
	want := [][3]any{{nil, "ok", nil}, {"echo", "refused", "forbidden"}, {"crash", "refused", "policy"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestAuditIsOffWhereNobodyIsKnown(t *testing.T) {
	for audit, want := range map[string]bool{"": false, "off": false, "calls": true} {
		a, _ := newApp(t, &Config{Servers: []Server{self("fake")}, Audit: audit}, nil)
		if got := a.servers[0].endpoint.Calls != nil; got != want {
			t.Errorf("audit %q: %v, want %v", audit, got, want)
		}
	}
}

// What a call costs: its attributes, its line and nothing that grows with what was said.
func BenchmarkAudit(b *testing.B) {
	a := &audit{log: slog.New(slog.NewJSONHandler(io.Discard, nil)), secrets: secret.New("a-secret-of-the-app", "another-secret")}
	s := &server{spec: Server{Name: "git", method: config.Auth{Method: config.AuthAzureOBO}}}
	id := &identity{server: s}
	id.newest.Store(&authn.Caller{TenantID: tenant, ObjectID: alice, ClientID: editor})
	c := &calls.Call{Caller: id, Method: "tools/call", Target: "git_log", At: time.Now(), In: 200, Session: "a1b2c3d4", Client: calls.Client{Name: "vscode", Version: "1.100.0"}}
	b.ReportAllocs()
	for b.Loop() {
		a.line(s, c, calls.Outcome{Kind: calls.OK, Out: 1000}, time.Millisecond)
	}
}
