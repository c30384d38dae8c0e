package mcpfunc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

// TestMain lets the test binary be the server that the tests start.
func TestMain(m *testing.M) {
	if os.Getenv("RUNTIME_TEST_SERVER") != "" {
		mcptest.Main()
	}
	if os.Getenv("RUNTIME_TEST_REACH") != "" {
		reach()
		return
	}
	if os.Getenv("RUNTIME_TEST_HOST") != "" {
		playHost()
		return
	}
	if os.Getenv("RUNTIME_TEST_APP") != "" {
		playApp()
		return
	}
	os.Exit(m.Run())
}

// self is a server that is this test binary. The race runtime waits a second at exit unless told
// not to.
func self(name string) Server {
	return Server{
		Name: name, Command: os.Args[0],
		Env: map[string]string{"RUNTIME_TEST_SERVER": "1", "GORACE": "atexit_sleep_ms=0"},
	}
}

func newApp(t *testing.T, cfg *Config, opts *Options) (*App, *httptest.Server) {
	t.Helper()
	mcptest.NoLeaks(t)
	if opts == nil {
		opts = &Options{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	for i := range cfg.Servers { // for NoLeaks
		env := map[string]string{mcptest.OwnerVariable: t.Name()}
		maps.Copy(env, cfg.Servers[i].Env)
		cfg.Servers[i].Env = env
	}
	a, err := New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(func() {
		a.Close()
		srv.CloseClientConnections()
		srv.Close()
		http.DefaultClient.CloseIdleConnections()
		if s := a.Stats(); s.Sessions != 0 || s.Processes != 0 || s.Opened != s.Ended {
			t.Errorf("left over: %+v", s)
		}
		if n := a.budget.Used(); n != 0 {
			t.Errorf("%d bytes of large messages were never freed", n)
		}
	})
	return a, srv
}

// client is an MCP client of few words.
type client struct {
	t       testing.TB
	url     string
	session string
	id      int
	header  http.Header
}

func connect(t testing.TB, url string) *client {
	t.Helper()
	c := &client{t: t, url: url}
	if got, err := c.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil {
		t.Fatalf("initialize: %v %s", err, got)
	}
	return c
}

// send returns the result of a request, or its error.
func (c *client) send(method, params string) (string, error) {
	c.id++
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.id, method, params)
	resp, err := c.post(body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		c.session = id
	}
	var answer struct {
		ID     int
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	in := bufio.NewReader(resp.Body)
	for {
		line, err := in.ReadBytes('\n')
		line = bytes.TrimPrefix(line, []byte("data: "))
		if json.Unmarshal(line, &answer) == nil && (answer.Result != nil || answer.Error != nil) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("status %d, and no answer: %w", resp.StatusCode, err)
		}
	}
	switch {
	case answer.Error != nil:
		return "", errors.New(answer.Error.Message)
	case answer.ID != c.id:
		return "", fmt.Errorf("answer to %d, want %d", answer.ID, c.id)
	}
	return string(answer.Result), nil
}

func (c *client) post(body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	return http.DefaultClient.Do(r)
}

// tool calls a tool and returns its text.
func (c *client) tool(name, args string) (string, error) {
	got, err := c.send("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{%s},"_meta":{"progressToken":%d}}`, name, args, c.id))
	if err != nil {
		return "", err
	}
	var result struct{ Content []struct{ Text string } }
	if err := json.Unmarshal([]byte(got), &result); err != nil || len(result.Content) != 1 {
		return "", fmt.Errorf("result %s: %v", got, err)
	}
	return result.Content[0].Text, nil
}

func TestFiftySessionsGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	a, srv := newApp(t, &Config{Servers: []Server{self("fake")}}, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	pids := map[string]bool{}
	for i := range 50 {
		wg.Go(func() {
			c := connect(t, srv.URL+"/api/mcp")
			pid, err := c.tool("pid", "")
			mu.Lock()
			if err != nil || pids[pid] {
				t.Errorf("session %d: process %s is another's too, or %v", i, pid, err)
			}
			pids[pid] = true
			mu.Unlock()
			for k := range 20 {
				canary := fmt.Sprintf("canary-%d-%d", i, k)
				tool, args := "echo", fmt.Sprintf(`"text":%q`, canary)
				switch k % 10 {
				case 4:
					tool, args, canary = "progress", `"count":30`, "done"
				case 9:
					tool, args, canary = "big", `"size":200000`, strings.Repeat("x", 200000)
				}
				if got, err := c.tool(tool, args); err != nil || got != canary {
					t.Errorf("session %d, call %d, %s: got %.100q, %v", i, k, tool, got, err)
				}
			}
		})
	}
	wg.Wait()
	if s := a.Stats(); s.Sessions != 50 || s.Processes != 50 {
		t.Errorf("%+v", s)
	}
}

func TestServerSeesItsEnvironmentAndNothingElse(t *testing.T) {
	t.Setenv("AzureWebJobsStorage", "canary-storage")
	t.Setenv("IDENTITY_HEADER", "canary-identity")
	t.Setenv("SOME_SETTING", "canary-setting")
	t.Setenv("PASSED_ON", "passed")
	s := self("fake")
	s.InheritEnv = []string{"PASSED_*", "IDENTITY_HEADER"}
	s.Env["OWN"] = "own"
	_, srv := newApp(t, &Config{Servers: []Server{s}}, nil)
	c := connect(t, srv.URL+"/api/mcp")
	for name, want := range map[string]string{
		"AzureWebJobsStorage": "", "IDENTITY_HEADER": "", "SOME_SETTING": "", "PASSED_ON": "passed", "OWN": "own", "PATH": os.Getenv("PATH"),
	} {
		if got, err := c.tool("env", fmt.Sprintf(`"name":%q`, name)); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", name, got, want, err)
		}
	}
}

func TestCrashTellsWhyWithoutSecrets(t *testing.T) {
	s := self("fake")
	s.Env["API_TOKEN"] = "secret-value-1"
	_, srv := newApp(t, &Config{Servers: []Server{s}}, nil)
	c := connect(t, srv.URL+"/api/mcp")
	if _, err := c.tool("complain", `"text":"token secret-value-1 and Bearer abcdefghijklmnop"`); err != nil {
		t.Fatal(err)
	}
	c.id++
	resp, err := c.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"crash"}}`, c.id))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for _, want := range []string{`"exit_code":7`, `"retryable":true`, `"restarts_left":2`, "about to crash", "[redacted] and [redacted]"} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
	if got, err := c.tool("echo", `"text":"alive"`); err != nil || got != "alive" {
		t.Errorf("after the crash: %q, %v", got, err)
	}
}

func TestMissingProgramSaysHowToGetIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, srv := newApp(t, &Config{Servers: []Server{{Name: "git", Command: "uvx", Args: []string{"mcp-server-git"}}}}, nil)
	c := &client{t: t, url: srv.URL + "/api/mcp"}
	resp, err := c.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if !bytes.Contains(body, []byte("uvx")) || !bytes.Contains(body, []byte("install uv")) || resp.Header.Get("Mcp-Session-Id") != "" {
		t.Errorf("%v %s", resp.Header, body)
	}
}

// keys is an Auth with one user a token.
type keys map[string]string

func (k keys) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	if user, ok := k[token]; ok {
		return &auth.TokenInfo{UserID: user}, nil
	}
	return nil, &AuthError{http.StatusUnauthorized, "authentication_required", "Missing or invalid Authorization header"}
}

func (k keys) Environ(_ context.Context, _ string, caller *auth.TokenInfo) (map[string]string, error) {
	return map[string]string{"WHO": caller.UserID}, nil
}

func TestSessionsBelongToTheirCaller(t *testing.T) {
	a, srv := newApp(t, &Config{Servers: []Server{self("fake")}}, &Options{Auth: keys{"token-a": "alice", "token-a2": "alice", "token-b": "bob"}})
	as := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	status := func(c *client) int {
		resp, err := c.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(&client{t: t, url: srv.URL + "/api/mcp"}); got != http.StatusUnauthorized || a.Stats().Opened != 0 {
		t.Errorf("without a token: %d, %d sessions", got, a.Stats().Opened)
	}
	alice := &client{t: t, url: srv.URL + "/api/mcp", header: as("token-a")}
	if _, err := alice.send("initialize", `{"protocolVersion":"2025-11-25"}`); err != nil {
		t.Fatal(err)
	}
	if who, err := alice.tool("env", `"name":"WHO"`); who != "alice" {
		t.Errorf("her process is of %q (%v)", who, err)
	}
	bob := &client{t: t, url: alice.url, session: alice.session, header: as("token-b")}
	if got := status(bob); got != http.StatusNotFound {
		t.Errorf("bob with alice's session: %d", got)
	}
	alice.header = as("token-a2") // the same user with a new token
	if got := status(alice); got != http.StatusOK {
		t.Errorf("alice with a new token: %d", got)
	}
	alice.header = as("token-x")
	if got := status(alice); got != http.StatusUnauthorized {
		t.Errorf("alice with a bad token: %d", got)
	}
}

func TestNewRefusesWhatCannotBeServed(t *testing.T) {
	ok := Server{Name: "a", Command: "b"}
	for want, cfg := range map[string]*Config{
		"no servers configured":         {},
		"command is missing":            {Servers: []Server{{Name: "a"}}},
		"want letters":                  {Servers: []Server{{Name: "../a", Command: "b"}}},
		"no server is named":            {Servers: []Server{ok}, DefaultServer: "c"},
		"the same name apart from case": {Servers: []Server{ok, {Name: "A", Command: "b"}}},
		"is not a directory":            {Servers: []Server{{Name: "a", Command: "b", Dir: "/none"}}},
		`invalid framing "x"`:           {Servers: []Server{{Name: "a", Command: "b", Framing: "x"}}},
	} {
		if _, err := New(cfg, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestHealthAndMetricsTellTheTruth(t *testing.T) {
	_, srv := newApp(t, &Config{Servers: []Server{self("fake"), self("other")}}, nil)
	connect(t, srv.URL+"/api/mcp/other")
	get := func(path string) string {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %s", resp.StatusCode, body)
	}
	for path, want := range map[string]string{
		"/":                                     "200 mcpfunc: 2 MCP servers\n",
		"/api/health":                           `200 {"status":"ok"}` + "\n",
		"/api/session_metrics":                  `"active_sessions":1`,
		"/api/metrics":                          `mcpfunc_sessions{server="other"} 1`,
		"/API/MCP/nobody":                       "404",
		"/api/mcp/..%2fhealth":                  "404",
		"/api/mcp//":                            "404",
		"/api/mcp/other//":                      "404",
		"/api/mcp//other":                       "404",
		"/api/metrics//":                        "404",
		"//":                                    "404",
		"/elsewhere":                            "404",
		"/.well-known/oauth-protected-resource": "404",
	} {
		if got := get(path); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/api/metrics", "/api/session_metrics"} { // by a function of the user's, whose key is another
		resp, err := http.Post(srv.URL+path, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("POST %s: %s", path, resp.Status)
		}
	}
}
