package mcpfunc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
)

const (
	recordedInitialize = `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{},"resources":{"subscribe":true}},"serverInfo":{"name":"mcptest","version":"1"}}}`
	recordedTools      = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}`
	recordedDiscover   = `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}}`
)

// manifested loads a project with this binary as its server, called s, further keys of that, and these lines
// of a manifest.
func manifested(t testing.TB, keys string, lines ...string) *Config {
	t.Helper()
	command, err := json.Marshal(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp_config.json")
	text := fmt.Sprintf(`{"mcpServers":{"s":{"command":%s,"env":{"RUNTIME_TEST_SERVER":"1","GORACE":"atexit_sleep_ms=0"}%s}}}`, command, keys)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	written, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	index := manifest.Index{Format: manifest.Format, Servers: map[string]manifest.Server{"s": {
		Identity: manifest.SourceOf(written.Servers[0], written.Variables, os.Getenv).Identity("a key"), Era: "both",
		Conversations: []manifest.Conversation{
			{Version: "2025-11-25", Answers: []manifest.Answer{{Method: "initialize", Line: 2}, {Method: "tools/list", Line: 3}}},
			{Version: "2026-07-28", Answers: []manifest.Answer{{Method: "server/discover", Line: 4}, {Method: "tools/list", Line: 3}}},
		},
	}}}
	first, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	data := strings.Join(append([]string{string(first)}, lines...), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, manifest.Name), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (c *client) tools() string {
	c.t.Helper()
	got, err := c.send("tools/list", "{}")
	if err != nil {
		c.t.Fatalf("tools/list: %v %s", err, got)
	}
	return got
}

// initialized says that c is.
func (c *client) initialized() {
	c.t.Helper()
	resp, err := c.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("notifications/initialized: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestWhoListsHasNoProcessAndWhoCallsHas(t *testing.T) {
	a, srv := newApp(t, manifested(t, "", recordedInitialize, recordedTools, recordedDiscover), nil)
	var clients []*client
	for range 3 {
		c := connect(t, srv.URL+"/api/mcp")
		c.initialized()
		if got := c.tools(); !strings.Contains(got, `"echo"`) {
			t.Errorf("the tools are %s", got)
		}
		clients = append(clients, c)
	}
	if s := a.Stats(); s.Sessions != 3 || s.Idle != 3 || s.Processes != 0 {
		t.Errorf("after lists: %+v", s)
	}
	if got, err := clients[1].tool("echo", `"text":"hello"`); got != "hello" || err != nil {
		t.Errorf("a call: %q, %v", got, err)
	}
	if got, err := clients[1].tool("echo", `"text":"again"`); got != "again" || err != nil {
		t.Errorf("another call: %q, %v", got, err)
	}
	if s := a.Stats(); s.Sessions != 3 || s.Idle != 2 || s.Processes != 1 {
		t.Errorf("after a call: %+v", s)
	}
}

// What callers may not know of they do not learn from the manifest either, and calls of it start nothing.
func TestPolicyHoldsForTheManifest(t *testing.T) {
	both := strings.Replace(recordedTools, `"tools":[`, `"tools":[{"name":"drop","inputSchema":{"type":"object"}},`, 1)
	a, srv := newApp(t, manifested(t, `,"tools":{"deny":["drop"]}`, recordedInitialize, both, recordedDiscover), nil)
	c := connect(t, srv.URL+"/api/mcp")
	c.initialized()
	if got := c.tools(); strings.Contains(got, "drop") || !strings.Contains(got, "echo") {
		t.Errorf("the tools are %s", got)
	}
	if got, err := c.tool("drop", ""); err == nil || !strings.Contains(err.Error(), "Unknown tool: drop") {
		t.Errorf("a denied call: %q, %v", got, err)
	}
	status, got := modernPost(t, srv.URL, "tools/list")
	if status != http.StatusOK || strings.Contains(got, "drop") || !strings.Contains(got, "echo") {
		t.Errorf("without a session: %d %s", status, got)
	}
	if s := a.Stats(); s.Processes != 0 {
		t.Errorf("after lists and a denied call: %+v", s)
	}
}

// modernPost asks without a session.
func modernPost(t *testing.T, url, method string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/mcp", strings.NewReader(
		`{"jsonrpc":"2.0","id":"m","method":"`+method+`","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
			`"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method,
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestRequestsWithoutASessionListWithoutAProcess(t *testing.T) {
	a, srv := newApp(t, manifested(t, "", recordedInitialize, recordedTools, recordedDiscover), nil)
	for method, recorded := range map[string]string{"server/discover": recordedDiscover, "tools/list": recordedTools} {
		want := strings.Replace(recorded, `"id":1`, `"id":"m"`, 1)
		if status, got := modernPost(t, srv.URL, method); status != http.StatusOK || got != want {
			t.Errorf("%s: %d %s, want %s", method, status, got, want)
		}
	}
	if s := a.Stats(); s.Processes != 0 {
		t.Errorf("the figures are %+v", s)
	}
}

// The manifest is used where any caller would be answered the same, and where the file says so.
func TestManifestIsUsedWhereCallersAreAlike(t *testing.T) {
	for name, tt := range map[string]struct {
		keys string
		opts Options
		used bool
	}{
		"by itself":                {"", Options{}, true},
		"switched off":             {`,"manifest":false`, Options{}, false},
		"headers":                  {`,"env_from_headers":{"TOKEN":"X-Token"}`, Options{}, false},
		"headers, shared":          {`,"env_from_headers":{"TOKEN":"X-Token"},"manifest":"shared"`, Options{}, true},
		"a program's auth":         {"", Options{Auth: keys{}}, false},
		"a program's auth, shared": {`,"manifest":"shared"`, Options{Auth: keys{}}, true},
	} {
		cfg := manifested(t, tt.keys, recordedInitialize, recordedTools, recordedDiscover)
		tt.opts.Logger = slog.New(slog.DiscardHandler)
		a, err := New(cfg, &tt.opts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := a.servers[0].endpoint.Server.Known != nil; got != tt.used || (a.servers[0].endpoint.Pool.Known != nil) != tt.used {
			t.Errorf("%s: used is %v, want %v", name, got, tt.used)
		}
		a.Close()
	}
}

// A manifest that cannot be read, or is of another server, is a warning, and every session has its process.
func TestManifestThatDoesNotFitIsAWarning(t *testing.T) {
	other := manifested(t, "", recordedInitialize, recordedTools, recordedDiscover)
	path := other.file
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(`"env":{`), []byte(`"env":{"MORE":"1",`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err = LoadConfig(path); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]*Config{
		"recorded from another server": other,
		"is not an answer":             manifested(t, "", recordedInitialize, `{"jsonrpc":"2.0","id":1,"method":"x"}`, recordedDiscover),
	} {
		var log bytes.Buffer
		a, srv := newApp(t, cfg, &Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		if text := log.String(); !strings.Contains(text, want) || !strings.Contains(text, "level=WARN") {
			t.Errorf("the log has no %q: %s", want, text)
		}
		c := connect(t, srv.URL+"/api/mcp")
		if got := c.tools(); !strings.Contains(got, "echo") {
			t.Errorf("the tools are %s", got)
		}
		if s := a.Stats(); s.Processes != 1 || s.Idle != 0 {
			t.Errorf("%s: %+v", want, s)
		}
	}
}

// BenchmarkListOnly is a session that initializes, lists and leaves, without HTTP's own cost.
func BenchmarkListOnly(b *testing.B) {
	a, err := New(manifested(b, "", recordedInitialize, recordedTools, recordedDiscover), &Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	do := func(method, session, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/api/mcp", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Mcp-Session-Id", session)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	b.ReportAllocs()
	for b.Loop() {
		id := do(http.MethodPost, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},`+
			`"clientInfo":{"name":"t","version":"1"}}}`).Header().Get("Mcp-Session-Id")
		do(http.MethodPost, id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
		if w := do(http.MethodPost, id, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`); !strings.Contains(w.Body.String(), "echo") {
			b.Fatal(w.Body.String())
		}
		do(http.MethodDelete, id, "")
	}
	if n := a.Stats().Processes; n != 0 {
		b.Fatalf("%d processes", n)
	}
}
