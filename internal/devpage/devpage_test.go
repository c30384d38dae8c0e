package devpage

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

func newPage(servers ...Server) *Page {
	return New(Options{
		Key: "key", History: NewHistory(nil),
		Servers: servers, Memory: func([]int) map[int]int64 { return nil },
	})
}

func TestSnippetsAreWhatClientsRead(t *testing.T) {
	t.Parallel()
	const url = "http://127.0.0.1:7071/api/mcp/git"
	type object = map[string]any
	for _, token := range []bool{false, true} {
		for _, s := range snippets(Server{Name: "git", Token: token}, url) {
			if !strings.Contains(s.Text, url) {
				t.Errorf("%s does not name the endpoint:\n%s", s.Client, s.Text)
			}
			if has := strings.Contains(s.Text, "uthorization:") || strings.Contains(s.Text, `"Authorization"`); has != token {
				t.Errorf("%s with a token, %v: has a header, %v:\n%s", s.Client, token, has, s.Text)
			}
			if strings.HasPrefix(s.Place, "in a shell") {
				continue
			}
			var got object
			if err := json.Unmarshal([]byte(s.Text), &got); err != nil {
				t.Errorf("%s: %v:\n%s", s.Client, err, s.Text)
			}
			want := map[string]object{
				"VS Code":        {"servers": object{"git": object{"type": "http", "url": url}}},
				"Claude Desktop": {"mcpServers": object{"git": object{"command": "npx", "args": []any{"-y", "mcp-remote", url}}}},
				"Cursor":         {"mcpServers": object{"git": object{"url": url}}},
			}[s.Client]
			if diff := cmp.Diff(want, got); !token && diff != "" {
				t.Errorf("%s (-want +got):\n%s", s.Client, diff)
			}
		}
	}
}

// What a configuration says is text on the page, in elements and in attributes.
func TestPageShowsTextsAsTexts(t *testing.T) {
	t.Parallel()
	plain := newPage(Server{Name: "git", Path: "/api/mcp/git", Description: "plain", Token: true})
	shape := func(p *Page, origin string) (tags []string) {
		root, err := html.Parse(strings.NewReader(p.render(origin)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == html.ElementNode {
				tags = append(tags, n.Data)
				for _, a := range n.Attr {
					tags = append(tags, "@"+a.Key)
				}
			} else if n.Type == html.CommentNode {
				tags = append(tags, "comment")
			}
		}
		return tags
	}
	want := shape(plain, "http://localhost")
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `" onmouseover="alert(1)" x="`, `' onclick='x`, `</pre></details>`, `<!--`, `{}`, "\x00<b>",
	} {
		hostile := newPage(Server{Name: text, Path: "/api/mcp/" + text, Description: text, Token: true})
		if diff := cmp.Diff(want, shape(hostile, "http://localhost"+text)); diff != "" {
			t.Errorf("%q is markup (-want +got):\n%s", text, diff)
		}
	}
}

func TestSnippetsCarryTheHeadersOfTheCaller(t *testing.T) {
	t.Parallel()
	p := newPage(Server{Name: "git", Path: "/api/mcp/git", Token: true, Headers: []string{"X-GitHub-Token"}})
	for _, s := range snippets(p.opts.Servers[0], "http://localhost/api/mcp/git") {
		if !strings.Contains(s.Text, "X-GitHub-Token") || !strings.Contains(s.Text, "uthorization") {
			t.Errorf("%s lacks a header:\n%s", s.Client, s.Text)
		}
	}
	if page := p.render("http://localhost"); !strings.Contains(page, `data-headers="[&#34;Authorization&#34;,&#34;X-GitHub-Token&#34;]"`) {
		t.Error("the form does not ask for the headers")
	}
}

func TestServersAreAsTheirProcesses(t *testing.T) {
	t.Parallel()
	p := newPage(Server{Name: "idle", Era: "auto"}, Server{Name: "runs", Drifted: func() []string { return []string{"read"} }}, Server{Name: "fails"}, Server{Name: "modern", Era: "modern"})
	p.opts.History.Open("runs", "a", false).Started(1)
	p.opts.History.Open("runs", "b", true).Started(2)
	broken := p.opts.History.Open("fails", "c", false)
	broken.Ended("the server could not be started")
	want := []serverState{
		{Name: "idle", State: "idle"},
		{Name: "runs", State: "running", Sessions: 1, Processes: 2, Drifted: []string{"read"}},
		{Name: "fails", State: "failing", Why: "the server could not be started"},
		{Name: "modern", State: "idle", Era: "2026-07-28"},
	}
	if diff := cmp.Diff(want, p.now(0, 0, 0).Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	p.opts.History.Open("fails", "d", false).Started(3) // it was mended
	if got := p.now(0, 0, 0).Servers[2].State; got != "running" {
		t.Errorf("state %q, want running", got)
	}
}

func TestPageIsForNamesOfThisMachine(t *testing.T) {
	t.Parallel()
	p := newPage()
	for host, want := range map[string]bool{
		"localhost:7071": true, "127.0.0.1:7071": true, "127.9.9.9": true, "[::1]:7071": true, "LOCALHOST": true,
		"localhost.example": false, "example:7071": false, "127.0.0.1.example": false, "192.168.0.1:7071": false, "": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", "text/html")
		if r.Host = host; p.Takes(r) != want {
			t.Errorf("asked as %q: taken: %v", host, !want)
		}
		if r.Host = "127.0.0.1:1"; host != "" {
			if r.Header.Set("X-Forwarded-Host", host); p.Takes(r) != want {
				t.Errorf("asked through a host as %q: taken: %v", host, !want)
			}
		}
	}
}

// The page reloads itself where it was made of other servers, and only there.
func TestPageKnowsWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	drifted := func() []string { return nil }
	look := func(s Server) string { return newPage(s).look }
	first := look(Server{Name: "s", Description: "one", Drifted: drifted})
	if same := look(Server{Name: "s", Description: "one", Drifted: func() []string { return []string{"tool"} }}); same != first {
		t.Error("the same servers look different")
	}
	for name, s := range map[string]Server{
		"description": {Name: "s", Description: "two", Drifted: drifted},
		"headers":     {Name: "s", Description: "one", Headers: []string{"X-Key"}, Drifted: drifted},
	} {
		if look(s) == first {
			t.Errorf("another %s does not change the look", name)
		}
	}
}

func TestNewsComeAtOnce(t *testing.T) {
	t.Parallel()
	p := newPage(Server{Name: "s"})
	answered := make(chan *httptest.ResponseRecorder)
	ask := func() {
		r := httptest.NewRequest(http.MethodGet, "/?dev=state&version=0&run="+p.run, nil)
		r.Header.Set(KeyHeader, "key")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		answered <- w
	}
	start := time.Now()
	go ask()
	p.opts.History.Open("s", "a", false)
	if w := <-answered; !strings.Contains(w.Body.String(), `"name":"a"`) || time.Since(start) >= patience {
		t.Errorf("after %s: %s", time.Since(start), w.Body)
	}
}

func TestFiguresOfOtherInstancesAreShownWhereThereAreAny(t *testing.T) {
	t.Parallel()
	p := newPage()
	if got := p.now(0, 0, 0).Shared; got != nil {
		t.Errorf("alone: %+v", got)
	}
	want := Shared{Owned: 1, Forwarded: 2, Answered: 3}
	p.opts.Shared = func() Shared { return want }
	if got := p.now(0, 0, 0).Shared; got == nil || *got != want {
		t.Errorf("got %+v", got)
	}
}
