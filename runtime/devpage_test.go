//go:build mcpfunc_devpage

package mcpfunc

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/devpage"
)

func pageApp(t *testing.T) (a *App, base string) {
	s := self("fake")
	s.Description, s.Args = "a <b>bold</b> one", []string{"--token", "an-argument-that-is-secret"}
	a, srv := newApp(t, &Config{Servers: []Server{s}, development: true, devKey: testKey}, nil)
	return a, srv.URL
}

func TestProbeGetsALineBesideThePageOfDev(t *testing.T) {
	t.Parallel()
	_, base := pageApp(t)
	if status, head, body := get(t, base, "", nil); status != 200 || body != "mcpfunc: 1 MCP servers\n" || !strings.HasPrefix(head.Get("Content-Type"), "text/plain") {
		t.Errorf("GET /: %d %q", status, body)
	}
}

func TestPageOfDevIsGuarded(t *testing.T) {
	t.Parallel()
	_, base := pageApp(t)
	host := strings.TrimPrefix(base, "http://")
	for _, example := range []struct {
		name, query string
		header      map[string]string
		want        int
	}{
		{"with the key", "?dev=state", map[string]string{devpage.KeyHeader: testKey}, 200},
		{"through the host", "?dev=state", map[string]string{devpage.KeyHeader: testKey, "X-Forwarded-Host": "localhost:7071"}, 200},
		{"without a key", "?dev=state", nil, 403},
		{"with another key", "?dev=state", map[string]string{devpage.KeyHeader: testKey + "x"}, 403},
		{"with the key in the query", "?dev=state&key=" + testKey, nil, 403},
		{"from its own origin", "?dev=state", map[string]string{devpage.KeyHeader: testKey, "Origin": base, "Sec-Fetch-Site": "same-origin"}, 200},
		{"from another port", "?dev=state", map[string]string{devpage.KeyHeader: testKey, "Origin": "http://127.0.0.1:1"}, 403},
		{"from another site", "?dev=page.js", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"by a link", "", map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"rebound", "?dev=state", map[string]string{devpage.KeyHeader: testKey, "Host": "evil.example:7071"}, 403},
		{"rebound through the host", "?dev=state", map[string]string{devpage.KeyHeader: testKey, "X-Forwarded-Host": "evil.example"}, 403},
		{"of no such name", "?dev=../page.html", nil, 404},
		{"of the template", "?dev=page.html", nil, 404},
		{"with a bad number", "?dev=state&line=x", map[string]string{devpage.KeyHeader: testKey, "Host": host}, 400},
	} {
		if status, head, body := get(t, base, example.query, example.header); status != example.want {
			t.Errorf("%s: %d %s, want %d", example.name, status, body, example.want)
		} else if head.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: another origin may read it", example.name)
		}
	}
	resp, err := http.Post(base+"/?dev=state", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d, want 405", resp.StatusCode)
	}
}

func TestPageOfDevNamesItsOriginAndLoadsOnlyItself(t *testing.T) {
	t.Parallel()
	_, base := pageApp(t)
	_, head, body := get(t, base, "", map[string]string{"Accept": "text/html", "X-Forwarded-Host": "localhost:7071"})
	for _, want := range []string{"http://localhost:7071/api/mcp/fake", "a &lt;b&gt;bold&lt;/b&gt; one"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in the page", want)
		}
	}
	for _, never := range []string{testKey, "is-secret", " style=", " onclick=", "<b>"} {
		if strings.Contains(body, never) {
			t.Errorf("%q is in the page", never)
		}
	}
	if policy := head.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self'") {
		t.Errorf("its policy is %q", policy)
	}
	loaded := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body, -1)
	if len(loaded) != 3 {
		t.Errorf("it loads %v", loaded)
	}
	for _, file := range loaded {
		if status, _, _ := get(t, base, strings.TrimPrefix(file[1], "/"), nil); status != 200 {
			t.Errorf("%s: %d", file[1], status)
		}
	}
}

// A told is the part of the state that the tests look at.
type told struct {
	Run      string
	Version  uint64
	Servers  []struct{ Name, State, Era, Command string }
	Sessions []struct {
		Number        uint64
		Server        string
		Protocol      string
		Calls, Starts int
		PID           int
		Memory        int64
	}
	Tail *struct {
		Messages []struct{ From, Kind, Method, Body string }
		Lines    []struct{ Text string }
	}
}

func TestPageOfDevIsToldWhatHappens(t *testing.T) {
	t.Parallel()
	a, base := pageApp(t)
	state := func(query string) (s told) {
		_, _, body := get(t, base, "?dev=state"+query, map[string]string{devpage.KeyHeader: testKey})
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if strings.Contains(body, "is-secret") || strings.Contains(body, testKey) {
			t.Errorf("a secret is in %s", body)
		}
		return s
	}
	if s := state(""); len(s.Sessions) != 0 || s.Servers[0].State != "idle" || !strings.HasSuffix(s.Servers[0].Command, "--token [redacted]") {
		t.Errorf("at first: %+v", s)
	}
	c := connect(t, base+"/api/mcp")
	if _, err := c.tool("complain", `"text":"it is warm"`); err != nil {
		t.Fatal(err)
	}
	s := state("&session=1")
	if got := s.Sessions[0]; got.Calls != 2 || got.PID == 0 || got.Protocol != "2025-11-25" || s.Servers[0].State != "running" {
		t.Errorf("with a session: %+v, %+v", got, s.Servers)
	}
	var got []string
	for _, m := range s.Tail.Messages {
		got = append(got, m.From+" "+m.Kind+" "+m.Method)
	}
	want := []string{"app event ", "client request initialize", "server response initialize", "client request tools/call", "server response tools/call"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}

	if again := state("&run=" + s.Run + "&session=1&message=5"); len(again.Tail.Messages) != 0 {
		t.Errorf("told again: %+v", again.Tail)
	}
	if another := state("&run=another&session=1&message=5"); len(another.Tail.Messages) != 5 {
		t.Errorf("who read in another run is told: %+v", another.Tail)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, base+"/api/mcp", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Mcp-Session-Id", c.session)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := state("&run=" + s.Run + "&session=1&message=5"); len(n.Tail.Messages) == 0 || n.Tail.Messages[0].Body != "ended: the client ended it" {
		t.Errorf("after the end: %+v", n.Tail)
	}
	if a.Close(); a.Stats().Sessions != 0 {
		t.Error("sessions are left")
	}
}

func TestPageOfDevShowsCommandsThatCanBeTypedWithoutSecrets(t *testing.T) {
	t.Parallel()
	got := commandLine("uvx", []string{"mcp-server", "--repo", "/srv/my repo", "--api-token", "abc", "--auth-key=def", "--password", "--verbose", "it's", ""})
	want := `uvx mcp-server --repo '/srv/my repo' --api-token [redacted] --auth-key=[redacted] --password --verbose 'it'\''s' ''`
	if got != want {
		t.Errorf("commandLine = %s, want %s", got, want)
	}
}
