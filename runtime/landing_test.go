package mcpfunc

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// What opens the page of mcpfunc dev where there is one.
const (
	keyHeader = "Mcpfunc-Dev-Key"
	testKey   = "a-key-of-thirty-characters-long"
)

// get asks for "/" with a query and headers.
func get(t *testing.T, base, query string, header map[string]string) (status int, head http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	if host, ok := header["Host"]; ok {
		r.Host = host
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

func TestAppWithoutAKeyHasNoPageOfDev(t *testing.T) {
	t.Parallel()
	hasNoPage(t, &Config{})
}

func hasNoPage(t *testing.T, cfg *Config) {
	s := self("fake")
	s.Args, s.Description = []string{"an-argument"}, "what it does"
	cfg.Servers = []Server{s}
	_, srv := newApp(t, cfg, nil)
	for _, query := range []string{"?dev=state", "?dev=page.js", "?dev=page.css", "?dev=", "?dev"} {
		for _, accept := range []string{"text/html", "*/*"} {
			status, _, body := get(t, srv.URL, query, map[string]string{"Accept": accept, keyHeader: testKey})
			if status != http.StatusNotFound || strings.Contains(body, "<") {
				t.Errorf("GET /%s: %d %s, want 404", query, status, body)
			}
		}
	}
	status, _, body := get(t, srv.URL, "", map[string]string{"Accept": "*/*", keyHeader: testKey})
	if status != http.StatusOK || body != "mcpfunc: 1 MCP servers\n" {
		t.Errorf("GET / with the key: %d %q", status, body)
	}
	status, head, body := get(t, srv.URL, "?code=a-key", map[string]string{"Accept": "text/html"})
	if status != http.StatusOK || len(body) > 3<<10 {
		t.Errorf("GET /: %d with %d bytes", status, len(body))
	}
	for _, never := range []string{"<script", "an-argument", s.Command, "a-key"} {
		if strings.Contains(body, never) {
			t.Errorf("%q is in the landing page:\n%s", never, body)
		}
	}
	for _, want := range []string{"fake", "/api/mcp/fake", "what it does"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in the landing page:\n%s", want, body)
		}
	}
	if policy := head.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("its policy is %q", policy)
	}
}

// What a configuration says of its servers is text on the page, whatever it is.
func TestLandingPageShowsTextsAsTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `</dd></dl><script src=//x>`, `"><b onclick='x'>`, `<!-- c -->`,
		`&lt;b&gt;`, `{}`, "\x00<b>", `<style>*{display:none}</style>`, `a & b "c" 'd'`,
	} {
		s := self("fake")
		s.Description = text
		_, srv := newApp(t, &Config{Servers: []Server{s}}, nil)
		_, _, body := get(t, srv.URL, "", map[string]string{"Accept": "text/html"})
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for n := range root.Descendants() {
			switch {
			case n.Type == html.CommentNode:
				t.Errorf("%q became a comment", text)
			case n.Type == html.ElementNode && !strings.Contains(" html head meta link title style body main h1 p dl div dt dd code span ", " "+n.Data+" "):
				t.Errorf("%q became <%s>", text, n.Data)
			case n.Type == html.ElementNode && n.Data == "dd" && n.FirstChild != nil && n.FirstChild.Type == html.TextNode:
				texts = append(texts, n.FirstChild.Data)
			}
		}
		if want := strings.ReplaceAll(text, "\x00", "\uFFFD"); len(texts) != 1 || texts[0] != want {
			t.Errorf("%q is shown as %q", text, texts)
		}
	}
}
