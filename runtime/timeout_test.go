package mcpfunc

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func TestFunctionTimeoutIsTheOneInForce(t *testing.T) {
	for name, c := range map[string]struct {
		host string
		env  environment
		want time.Duration
	}{
		"file":               {host: `{"functionTimeout": /* as planned */ "00:10:00"}`, want: 10 * time.Minute},
		"setting":            {host: `{"functionTimeout": "00:10:00"}`, env: environment{"AzureFunctionsJobHost__functionTimeout=00:01:30"}, want: 90 * time.Second},
		"no limit":           {host: `{"functionTimeout": "-1"}`, want: 0},
		"days":               {host: `{"functionTimeout": "1.02:00:00"}`, want: 26 * time.Hour},
		"a fraction":         {host: `{"functionTimeout": "00:00:01.5"}`, want: 1500 * time.Millisecond},
		"hours and minutes":  {host: `{"FunctionTimeout": "2:30"}`, want: 150 * time.Minute},
		"neither":            {host: `{}`, want: 30 * time.Minute},
		"no file":            {want: 30 * time.Minute},
		"Consumption":        {host: `{}`, env: environment{"WEBSITE_SKU=Dynamic"}, want: 5 * time.Minute},
		"no duration":        {host: `{"functionTimeout": "soon"}`, want: 30 * time.Minute},
		"no duration either": {host: `{"functionTimeout": "1:2:3:4"}`, want: 30 * time.Minute},
	} {
		files := map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`}
		if c.host != "" {
			files["host.json"] = c.host
		}
		project(t, files)
		if got := functionTimeout(".", c.env); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`, "host.json": `{"functionTimeout": "00:07:00"}`})
	a, _ := underHost(t, Options{})
	if got := a.byName["a"].endpoint.HostLimit; got != 7*time.Minute {
		t.Errorf("an app under the host has the limit %v", got)
	}
}

// heard is what a process is told.
type heard struct {
	Process
	lines *lockedLines
}

func (h heard) Write(b []byte) (int, error) {
	h.lines.Write(b)
	return h.Process.Write(b)
}

// What the host would end, with the whole handler, is ended before.
func TestNothingOutlastsTheFunctionTimeout(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	var lines lockedLines
	start := LauncherFunc(func(ctx context.Context, s Server, env []string) (Process, error) {
		p, err := ExecLauncher{}.Launch(ctx, s, env)
		if err != nil {
			return nil, err
		}
		return heard{p, &lines}, nil
	})
	mute := Server{Name: "mute", Command: "sh", Args: []string{"-c", "exec sleep 60"}}
	cfg := &Config{Servers: []Server{self("fake"), mute}, functionTimeout: limit}
	_, srv := newApp(t, cfg, &Options{Launcher: start, Grace: 100 * time.Millisecond})
	within := func(what string, do func()) {
		t.Helper()
		began := time.Now()
		do()
		// That it is before the host's own limit, the tests in bubbles show; a machine under load is slow.
		if took := time.Since(began); took < limit/2 || took > limit+testlimit.Wait() {
			t.Errorf("%s ended after %v, want about %v", what, took, limit)
		}
	}
	c := connect(t, srv.URL+"/api/mcp/fake")
	within("a call", func() {
		if got, err := c.tool("sleep", `"ms":60000`); err == nil || !strings.Contains(err.Error(), "the Functions host allows a request 2s") {
			t.Errorf("a slow call: %s, %v", got, err)
		}
	})
	// The client is answered first, and the server told beside it.
	eventually(t, "the server is told that the call is over", func() bool {
		return strings.Contains(lines.String(), `"notifications/cancelled"`)
	})
	within("a stream", func() {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		r.Header.Set("Mcp-Session-Id", c.session)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("a stream: %d, %v", resp.StatusCode, err)
		}
	})
	within("a call of HTTP with SSE", func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/api/mcp/fake/sse", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		events := bufio.NewReader(resp.Body)
		next := func(prefix string) string {
			for {
				line, err := events.ReadString('\n')
				if data, ok := strings.CutPrefix(line, prefix); ok || err != nil {
					return strings.TrimSpace(data)
				}
			}
		}
		post := srv.URL + next("data: ")
		for _, m := range []string{
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":60000}}}`,
		} {
			sent, err := http.Post(post, "application/json", strings.NewReader(m))
			if err != nil {
				t.Fatal(err)
			}
			sent.Body.Close()
			if sent.StatusCode != http.StatusAccepted {
				t.Fatalf("%s: %d", m, sent.StatusCode)
			}
		}
		if got := next("data: "); !strings.Contains(got, `"id":1`) {
			t.Errorf("initialize: %s", got)
		}
		if got := next(`data: {"jsonrpc":"2.0","id":2,`); !strings.Contains(got, "the Functions host allows a request 2s") {
			t.Errorf("a call of HTTP with SSE: %s", got)
		}
	})
	within("a start", func() {
		m := &client{t: t, url: srv.URL + "/api/mcp/mute"}
		if got, err := m.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err == nil {
			t.Errorf("a start: %s", got)
		}
	})
	within("a start of ours", func() {
		m := &client{t: t, url: srv.URL + "/api/mcp/mute"}
		if got, err := m.send("tools/list", `{}`); err == nil || !strings.Contains(err.Error(), "the Functions host") {
			t.Errorf("a start by a call: %s, %v", got, err)
		}
	})
	if got, err := c.tool("echo", `"text":"still here"`); err != nil || !strings.Contains(got, "still here") {
		t.Errorf("the session afterwards: %s, %v", got, err)
	}
}

// A request without a session is answered, too, and its process told.
func TestStatelessCallDoesNotOutlastTheFunctionTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, a := statelessApp(t)
		a.servers[0].endpoint.HostLimit = 40 * time.Second
		began := time.Now()
		got, err := statelessCall(t.Context(), client, "late", "", 0)
		if took := time.Since(began); err != nil || took != 35*time.Second || !strings.Contains(got, "the Functions host allows a request 40s") {
			t.Errorf("after %v: %s, %v", took, got, err)
		}
		if got, err := statelessCall(t.Context(), client, "cancelled", "", 0); err != nil || !strings.Contains(got, `"1"`) {
			t.Errorf("cancellations: %s, %v", got, err)
		}
	})
}
