package mcpfunc

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
)

// ownSecret makes a lab's open server take a variable from a header.
func ownSecret(_ *authLab, cfg *Config) {
	cfg.Servers[openServer].EnvFromHeaders = map[string]string{"GITHUB_TOKEN": "X-GitHub-Token"}
	cfg.Servers[openServer].Prewarm = 2
	cfg.logMessages = true
}

const (
	aliceSecret = `alice"s <secret>/of-32-characters\`
	bobSecret   = "bob-s-secret-of-26-letters"
)

// with is a client of the open server whose requests carry this secret.
func (l *authLab) with(t testing.TB, secret string) *client {
	c := l.client(t, "open", "")
	c.header.Set("X-GitHub-Token", secret)
	return c
}

func TestEveryCallerHasAProcessWithItsOwnSecret(t *testing.T) {
	l := newAuthLab(t, ownSecret)
	if n := len(l.started()); n != 0 {
		t.Errorf("%d processes were started ahead", n)
	}
	a, b := l.with(t, aliceSecret), l.with(t, bobSecret)
	for c, want := range map[*client]string{a: aliceSecret, b: bobSecret} {
		if r := c.do("POST", initialize); r.status != http.StatusOK {
			t.Fatalf("initialize: %+v", r)
		} else {
			c.session = r.header.Get("Mcp-Session-Id")
		}
		if got := c.env("GITHUB_TOKEN"); got != want {
			t.Errorf("the process has %q, want %q", got, want)
		}
	}
	a.header.Set("X-GitHub-Token", bobSecret)
	a.unknown("the id of a session with another secret")
	b.header.Set("X-GitHub-Token", aliceSecret)
	if r := b.do("POST", initialize); r.status != http.StatusOK || r.header.Get("Mcp-Session-Id") == b.session {
		t.Errorf("initialize with another secret: %+v", r)
	}
	chosen := l.with(t, aliceSecret)
	chosen.session = "chosen"
	other := l.with(t, bobSecret)
	other.session = "chosen"
	if chosen.env("GITHUB_TOKEN") != aliceSecret || other.env("GITHUB_TOKEN") != bobSecret {
		t.Error("two secrets share a session under an id that both chose")
	}
}

func TestRequestWithoutItsHeaderIsRefused(t *testing.T) {
	l := newAuthLab(t, ownSecret)
	c := l.with(t, aliceSecret)
	if r := c.do("POST", initialize); r.status != http.StatusOK {
		t.Fatalf("initialize: %+v", r)
	} else {
		c.session = r.header.Get("Mcp-Session-Id")
	}
	for what, values := range map[string][]string{
		"is missing": nil, "is missing: this server requires it": {""}, "is present 2 times": {aliceSecret, aliceSecret},
		"has 8193 bytes": {strings.Repeat("x", 8193)}, "is not UTF-8": {"caf\xe9-of-latin-1"}, "contains a control character": {"a\u0085b-of-8-bits"},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			c.header["X-Github-Token"] = values
			r := c.do(method, listTools)
			if r.status != http.StatusBadRequest || !strings.Contains(r.body, "The header X-GitHub-Token "+what) {
				t.Errorf("%s %s: %+v", method, what, r)
			}
			if slices.ContainsFunc(values, func(v string) bool { return v != "" && strings.Contains(r.body, v) }) {
				t.Errorf("the answer holds the value: %s", r.body)
			}
		}
	}
	if n := len(l.started()); n != 1 {
		t.Errorf("%d processes, want 1", n)
	}
	c.header["X-Github-Token"] = []string{strings.Repeat("y", 8192)}
	if c.session = ""; c.do("POST", initialize).status != http.StatusOK {
		t.Error("8 KiB are too many")
	}
}

// A process says its secret everywhere it can; nothing but its own answers may hold it.
func TestOwnSecretsAreInNoOutput(t *testing.T) {
	l := newAuthLab(t, ownSecret)
	c := l.with(t, aliceSecret)
	if r := c.do("POST", initialize); r.status != http.StatusOK {
		t.Fatalf("initialize: %+v", r)
	} else {
		c.session = r.header.Get("Mcp-Session-Id")
	}
	quoted := fmt.Sprintf("%q", "I know "+aliceSecret)
	if _, err := c.tool("complain", `"text":`+quoted); err != nil {
		t.Fatal(err)
	}
	if _, err := c.tool("echo", `"text":`+quoted); err != nil { // on the wire that is logged
		t.Fatal(err)
	}
	crash := c.do("POST", `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"crash","arguments":{}}}`)
	if !strings.Contains(crash.body, "I know [redacted]") {
		t.Errorf("the error does not hold what the server said, without its secret: %s", crash.body)
	}
	outputs := map[string]string{"error": crash.body, "log": l.log.String(), "id": c.session}
	for _, path := range []string{"/", "/api/health", "/api/session_metrics", "/api/metrics"} {
		probe := l.client(t, "open", "")
		probe.url = l.url + path
		outputs[path] = probe.do("GET", "", "X-Forwarded-For: 1").body
	}
	eventually(t, "the log has the line", func() bool { return strings.Contains(l.log.String(), `"line":"I know [redacted]"`) })
	outputs["log"] = l.log.String()
	for where, text := range outputs {
		for _, spelling := range append([]string{aliceSecret, strings.Trim(strconv.Quote(aliceSecret), `"`)}, url.QueryEscape(aliceSecret), hex.EncodeToString([]byte(aliceSecret)),
			base64.StdEncoding.EncodeToString([]byte(aliceSecret))) {
			if strings.Contains(text, spelling) {
				t.Errorf("%s holds the secret as %s", where, spelling)
			}
		}
	}
	if !strings.Contains(outputs["log"], `"wire"`) {
		t.Error("the wire was not logged, so that this says little")
	}
}

func TestOwnSecretTravelsWithTheRequest(t *testing.T) {
	key := sessionKey()
	var cfg Config
	first := newAuthLab(t, ownSecret, func(_ *authLab, c *Config) {
		c.sessionKeys = key
		c.Servers[openServer].Stateless = true
		cfg = *c
	})
	second := first.instance(t, cfg, sessionKey()+","+key) // while a key is being replaced
	c := first.with(t, aliceSecret)
	if got, err := c.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil {
		t.Fatal(got, err)
	}
	there := second.on(c, "open")
	there.header = http.Header{"X-Github-Token": {bobSecret}}
	there.unknown("the id of a session with another secret, on another instance")
	there.header = http.Header{}
	if r := there.do("POST", listTools); r.status != http.StatusBadRequest {
		t.Errorf("without the secret: %+v", r)
	}
	if n := len(second.started()); n != 0 {
		t.Errorf("%d processes were started for them", n)
	}
	there.header = c.header
	if got := there.env("GITHUB_TOKEN"); got != aliceSecret {
		t.Errorf("on another instance the process has %q", got)
	}
}

func TestClaimsBecomeVariables(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.Servers[entraServer].EnvFromClaims = map[string]string{"USER_NAME": "preferred_username", "OID": "oid", "TENANT": "tid", "GROUPS": "groups"}
	})
	claims := func(name string, groups ...string) func(*fakeentra.Token) {
		return func(t *fakeentra.Token) {
			t.Claims = map[string]any{"groups": groups}
			if name != "" {
				t.Claims["preferred_username"] = name
			}
		}
	}
	c := l.connect(t, "entra", l.token(alice, claims("alice@example.com", "g2", "g1")))
	for name, want := range map[string]string{"USER_NAME": "alice@example.com", "OID": alice, "TENANT": tenant, "GROUPS": "g1,g2"} {
		if got := c.env(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	pid, _ := c.tool("pid", "")
	c.bring(l.token(alice, claims("alice@example.com", "g1", "g2")))
	if again, err := c.tool("pid", ""); again != pid {
		t.Errorf("the same groups in another order have another process: %v", err)
	}
	c.bring(l.token(alice, claims("alice@example.com", "g1")))
	c.unknown("a user who has left a group")
	for what, token := range map[string]string{
		"no name":             l.token(alice, claims("", "g1")),
		"a group that is two": l.token(alice, claims("alice@example.com", "g1,g2")),
		"a control character": l.token(alice, claims("alice\x00@example.com", "g1")),
		"groups are an object": l.token(alice, func(t *fakeentra.Token) {
			t.Claims = map[string]any{"preferred_username": "a", "groups": map[string]any{"a": "b"}}
		}),
		"nobody is in no group":   l.token(alice, claims("alice@example.com")),
		"more than a process has": l.token(alice, claims(strings.Repeat("x", 8193), "g1")),
	} {
		c.bring(token)
		if r := c.do("POST", listTools); r.status != http.StatusForbidden && r.status != http.StatusUnauthorized || r.status == http.StatusForbidden && !strings.Contains(r.body, "missing_claim") {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

func TestPagesOfOthersMayBringTheirOwnSecret(t *testing.T) {
	l := newAuthLab(t, ownSecret, func(_ *authLab, cfg *Config) { cfg.AllowedOrigins = []string{"https://app.example.com"} })
	c := l.client(t, "open", "")
	r := c.do("OPTIONS", "", "Origin: https://app.example.com", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-github-token")
	if !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "X-GitHub-Token") {
		t.Errorf("the header is not allowed: %q", r.header.Get("Access-Control-Allow-Headers"))
	}
	c.url = l.url
	_, _, page := get(t, l.url, "", map[string]string{"Accept": "text/html"})
	if !strings.Contains(page, "required headers: <code>X-GitHub-Token</code>") {
		t.Errorf("the landing page does not say it:\n%s", page)
	}
}

func TestWhatNoCallerMaySet(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*Server){
		"a variable that loads code":   func(s *Server) { s.EnvFromHeaders = map[string]string{"LD_PRELOAD": "X-A"} },
		"a header of the host":         func(s *Server) { s.EnvFromHeaders = map[string]string{"A": "X-Functions-Key"} },
		"one that env sets":            func(s *Server) { s.EnvFromHeaders = map[string]string{"A": "X-A"}; s.Env = map[string]string{"A": "b"} },
		"a claim without tokens":       func(s *Server) { s.EnvFromClaims = map[string]string{"A": "sub"} },
		"one variable from two places": func(s *Server) { s.EnvFromHeaders = map[string]string{"A": "X-A", "a": "X-B"} },
	} {
		s := Server{Name: "s", Command: "s"}
		change(&s)
		if a, err := New(&Config{Servers: []Server{s}}, nil); err == nil {
			a.Close()
			t.Errorf("%s is taken", what)
		}
	}
}

// Requests without a session share a process of their caller; with another secret it is another caller's.
func TestRequestsWithoutASessionShareNoSecret(t *testing.T) {
	var mu sync.Mutex
	started := map[string]int{} // processes, by the secret of their environment
	launch := func(_ context.Context, _ Server, env []string) (Process, error) {
		secret := ""
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, "API_KEY="); ok {
				secret = value
			}
		}
		mu.Lock()
		started[secret]++
		mu.Unlock()
		var p *mcptest.Process
		p = mcptest.Run(func(in io.Reader, out io.Writer) error {
			mcptest.Stateless(in, out, io.Discard, func(int) { p.Exit(errors.New("crashed")) })
			return nil
		})
		return p, nil
	}
	app, err := New(&Config{Servers: []Server{{
		Name: "fake", Command: "fake", Era: "modern", Prewarm: 3, EnvFromHeaders: map[string]string{"API_KEY": "X-Api-Key"},
	}}}, &Options{Logger: slog.New(slog.DiscardHandler), Launcher: LauncherFunc(launch)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	t.Cleanup(func() {
		app.Close()
		srv.Close()
	})
	call := func(secrets ...string) int {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/mcp", strings.NewReader(
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"},`+
				`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`))
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo",
		} {
			r.Header.Set(name, value)
		}
		r.Header["X-Api-Key"] = secrets
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for range 3 { // one after another, so that one process of a caller is enough
		if a, b := call(aliceSecret), call(bobSecret); a != http.StatusOK || b != http.StatusOK {
			t.Fatalf("%d, %d", a, b)
		}
	}
	if missing, twice := call(), call(aliceSecret, bobSecret); missing != http.StatusBadRequest || twice != http.StatusBadRequest {
		t.Errorf("without a secret %d, with two %d", missing, twice)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(started) != 2 || started[aliceSecret] != 1 || started[bobSecret] != 1 {
		t.Errorf("processes by secret: %v", started)
	}
}
