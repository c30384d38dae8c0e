package mcpfunc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// everyPath is what an authLab's app answers at.
var everyPath = []string{
	"/", "/api/health", "/api/metrics", "/api/session_metrics", "/api/mcp", "/api/mcp/open", "/api/mcp/open/sse", "/api/mcp/open/message",
	"/api/mcp/sse", "/.well-known/oauth-protected-resource/api/mcp/entra", "/nothing",
}

// status sends a request without a body, with headers as "Name: value", and returns the answer's status.
func (l *authLab) status(t *testing.T, method, path string, headers ...string) int {
	t.Helper()
	r, err := http.NewRequest(method, l.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// A page of another site cannot read what it makes a browser fetch, but <img src="…/api/mcp/sse"> once started a
// process each.
func TestT50PagesOfOtherSitesStartAndLearnNothing(t *testing.T) {
	l := newAuthLab(t)
	const site = "Sec-Fetch-Site: "
	for name, headers := range map[string][]string{
		"an image":              {site + "cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", "Accept: image/avif,image/webp,*/*;q=0.8"},
		"a script":              {site + "cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script", "Accept: */*"},
		"a frame":               {site + "cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Accept: text/html,*/*;q=0.8"},
		"a page beside":         {site + "same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", "Accept: */*"},
		"a value of the future": {site + "fenced", "Accept: */*"},
		"two values":            {site + "none", site + "cross-site", "Accept: */*"},
	} {
		for _, path := range everyPath {
			for range 12 {
				if got := l.status(t, "GET", path, headers...); got != http.StatusForbidden {
					t.Errorf("%s, GET %s: %d", name, path, got)
				}
			}
		}
	}
	link := []string{site + "cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html,*/*;q=0.8"}
	for _, path := range everyPath {
		want := http.StatusForbidden
		if path == "/" {
			want = http.StatusOK
		}
		if got := l.status(t, "GET", path, link...); got != want {
			t.Errorf("a link to %s: %d, want %d", path, got, want)
		}
	}
	if got := l.status(t, "POST", "/", link...); got != http.StatusForbidden {
		t.Errorf("a form that posts to the landing page: %d", got)
	}
	if n := len(l.started()); n != 0 {
		t.Errorf("%d processes were started", n)
	}
}

// What is not a page of another site gets in as before.
func TestT50OwnPagesAndProgramsGetIn(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) { cfg.AllowedOrigins = []string{"https://good.example"} })
	for name, headers := range map[string][]string{
		"a program":                 {"X: 1"},
		"the address bar":           {"Sec-Fetch-Site: none"},
		"its own page":              {"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"},
		"an allowed page, by fetch": {"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Origin: https://good.example"},
	} {
		c := l.client(t, "open", "")
		if r := c.do("POST", listTools, headers...); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if got := l.status(t, "GET", "/api/health", headers...); got != http.StatusOK {
			t.Errorf("%s, health: %d", name, got)
		}
	}
}

// A page can make a name of its own lead to this machine, and is then of the same origin as whatever listens here.
func TestT50InDevelopmentEveryPathAsksForTheHost(t *testing.T) {
	l := newAuthLab(t)
	for _, path := range everyPath {
		for _, rebound := range [][]string{
			{"Host: evil.example"}, {"Host: localhost.evil.example:7071"}, {"X-Forwarded-Host: evil.example"},
			{"X-Forwarded-Host: localhost", "X-Forwarded-Host: evil.example"}, {"X-Forwarded-Host: localhost, evil.example"},
		} {
			if got := l.status(t, "GET", path, rebound...); got != http.StatusForbidden {
				t.Errorf("%s with %v: %d", path, rebound, got)
			}
		}
		for _, own := range []string{"Host: localhost:7071", "Host: [::1]:7071", "X-Forwarded-Host: localhost:7071", "X-Forwarded-Host: mcp.example.com"} {
			if got := l.status(t, "GET", path, own); got == http.StatusForbidden {
				t.Errorf("%s with %s is refused", path, own)
			}
		}
	}
	if n := len(l.started()); n > 2*4 { // of /sse
		t.Errorf("%d processes were started", n)
	}
}

// On Azure the platform asks for two paths by whatever name an instance has; hosts are checked if they are configured.
func TestT50ConfiguredHostsHoldWhereNoPlatformProbes(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.development, cfg.AllowedHosts = false, []string{"mcp.example.com"}
		cfg.Servers = cfg.Servers[openServer:]
	})
	for path, want := range map[string]int{
		"/": 200, "/api/health": 200, "/api/metrics": 403, "/api/session_metrics": 403, "/api/mcp": 403, "/.well-known/oauth-protected-resource": 403,
	} {
		if got := l.status(t, "GET", path, "Host: 10.0.0.4:8080"); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

// raw sends bytes and returns the statuses of the answers until the connection is closed or idle for good.
func (l *authLab) raw(t *testing.T, request string) (statuses []int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, true
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if statuses = append(statuses, resp.StatusCode); !resp.Close && len(statuses) == strings.Count(request, " HTTP/1.1\r\n") {
			return statuses, false
		}
	}
}

// A proxy in front may take one length, and we the other: what then follows on the connection could be a request that
// nobody checked.
func TestT51BothLengthsCloseTheConnection(t *testing.T) {
	l := newAuthLab(t)
	head := "POST /api/mcp/open HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(listTools), listTools)
	smuggled := "GET /api/session_metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, request := range map[string]string{
		"length first":   head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
		"length last":    head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunked,
		"the right one":  head + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n", len(chunked)) + chunked,
		"in other cases": head + "transfer-encoding: Chunked\r\ncontent-length: 4\r\n\r\n" + chunked,
	} {
		if got, closed := l.raw(t, request+smuggled); len(got) != 1 || got[0] != http.StatusOK || !closed {
			t.Errorf("%s: answers %v, closed: %t; want one, and the end", name, got, closed)
		}
	}
	for name, request := range map[string]string{
		"two lengths":   head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\n" + chunked,
		"two codings":   head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
		"another":       head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked,
		"a signed one":  head + "Content-Length: +4\r\n\r\n" + chunked,
		"a folded line": head + "X: a\r\n b\r\nContent-Length : 4\r\n\r\n" + chunked,
	} {
		if got, closed := l.raw(t, request+smuggled); len(got) != 1 || got[0] < 400 || !closed {
			t.Errorf("%s: answers %v, closed: %t; want one refusal, and the end", name, got, closed)
		}
	}
	one := head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(listTools), listTools)
	if got, closed := l.raw(t, one+one); len(got) != 2 || got[1] != http.StatusOK || closed {
		t.Errorf("one length: answers %v, closed: %t; want two on a connection that is kept", got, closed)
	}
}

func TestT51MethodsOfProxiesAreRefused(t *testing.T) {
	l := newAuthLab(t)
	for _, request := range []string{
		"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "CONNECT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"CONNECT /api/mcp/open HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"TRACE / HTTP/1.1\r\nHost: localhost\r\nCookie: secret\r\n\r\n", "TRACE /api/mcp/open/sse HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n",
	} {
		if got, _ := l.raw(t, request); len(got) != 1 || got[0] != http.StatusMethodNotAllowed {
			t.Errorf("%q: %v", request, got)
		}
	}
	if n := len(l.started()); n != 0 {
		t.Errorf("%d processes were started", n)
	}
}

// A reader that puts U+FFFD in their place takes a name for another than a reader that does not.
func TestT51BytesThatAreNotUTF8AreRefused(t *testing.T) {
	l := newAuthLab(t)
	c := l.connect(t, "open", "")
	session := c.session
	for _, body := range []string{
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"caf\xe9\"}}", // Latin-1
		"{\"jsonrpc\":\"2.0\",\"id\":\"\xc0\xaf\",\"method\":\"ping\"}", "\xff\xfe{\x00}\x00",
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xed\xa0\x80\"}]",
	} {
		for _, c.session = range []string{session, ""} {
			for _, version := range []string{"2025-11-25", "2026-07-28"} {
				r := c.do("POST", body, "Mcp-Protocol-Version: "+version)
				if r.status != http.StatusBadRequest || !strings.Contains(r.body, `"code":-32700,"message":"the body must be JSON in UTF-8`) {
					t.Errorf("%q in %s: %d %s", body, version, r.status, r.body)
				}
			}
		}
	}
	c.session = session
	if got, err := c.tool("echo", `"text":"caf\u00e9 é 😀"`); err != nil || got != "café é 😀" {
		t.Errorf("text: %q %v", got, err)
	}
}
