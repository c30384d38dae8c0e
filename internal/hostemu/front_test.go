package hostemu

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/fronttest"
)

// frontProgram is the HTTP path of the host, made of the host's own parts.
const frontProgram = "../../../shared/tools/front/front"

// startFront puts the front before b's handler, or skips the test without a front.
func startFront(t *testing.T, b *bench, args ...string) (url string) {
	t.Helper()
	if _, err := os.Stat(frontProgram); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here", frontProgram)
	}
	return fronttest.Start(t, frontProgram, b.opts.Dir, b.opts.Env, strconv.Itoa(b.port()), args...)
}

// A reply is what a client and the handler see of one request, without what differs by nature.
type reply struct {
	Status string
	Length string
	Challenge,
	Type string
	Header http.Header // the others
	Seen   *seen       // what reached the handler
	Body   string      // where it is not that
	Cut    bool        // the answer ended before its end
}

// askRaw sends a raw request and reads the answer.
func askRaw(url, request string) reply {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return reply{Status: err.Error()}
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return reply{Status: err.Error()}
	}
	go func() { _, _ = io.WriteString(conn, request) }() // which a refusal may cut
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return reply{Cut: true}
	}
	body, err := io.ReadAll(resp.Body)
	r := reply{
		Status: strconv.Itoa(resp.StatusCode), Challenge: resp.Header.Get("Www-Authenticate"), Type: resp.Header.Get("Content-Type"),
		Length: resp.Header.Get("Content-Length"), Cut: err != nil,
	}
	if r.Cut {
		return reply{Cut: true} // how much of it arrived is chance
	}
	r.Header = resp.Header.Clone()
	for _, name := range []string{"Date", "Server", "Content-Length", "Content-Type", "X-Handler"} {
		r.Header.Del(name)
	}
	words := resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusHTTPVersionNotSupported
	if resp.StatusCode >= 400 && r.Length == "" && len(body) == 0 || words {
		r.Length, r.Type, body = "0", "", nil // net/http says why in its own words, and nothing where .NET says zero
	}
	var s seen
	switch {
	case resp.Header.Get("X-Handler") == "yes" && json.Unmarshal(body, &s) == nil:
		for _, name := range []string{"X-Azure-Functions-Invocationid", "X-Ms-Invocation-Id", "X-Forwarded-Host", "Traceparent"} {
			if s.Header.Get(name) != "" {
				s.Header.Set(name, "some")
			}
		}
		r.Seen, r.Length = &s, ""
	case resp.StatusCode == http.StatusOK && strings.Contains(r.Type, "html"):
		r.Length, r.Type = "", "" // the home page
	default:
		r.Body = string(body)
	}
	return r
}

// probes are requests that show how the host deals with what a client sends.
func probes() map[string]string {
	all := map[string]string{}
	get := func(name, target string, headers ...string) {
		all[name+" "+target] = "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, "Connection: close\r\n"), "\r\n") + "\r\n"
	}
	// /runtime/webhooks is missing: the host gives it to the functions, and the front to nobody.
	for _, target := range []string{
		"/", "/?", "//", "//x", "/x//", "/e", "/e/", "/e//x", "/e/x//", "/E/x", "/none", "/none/x?y", "/v1/a.b", "/n/12", "/n/x", "/twice",
		"/e/%41%7e?%41%7e", "/e/a%2Fb?%2f", "/e/%2B?+", "/e/%E4?%E4", "/e/%C3%a4?%c3%A4", `/e/\?\`, "/e/%zz%?%zz%", "/e/%00", "/e/?%00", "/e/a#b?c#d",
		`/e/"<>^{|}?"<>^{|}`, "/e/[]?[]", "/e/.", "/e/..", "/e/a/../b", "/e/%2e%2E/x", "/e/...", "/e/a%5Cb", "/e/%ed%a0%80?%ed%a0%80", "/e/%F0%9F%98%80",
		"/e/a;b=1,2", "/e/!$&'()*+,;=:@-._~?!$&'()*+,;=:@-._~/?", "/e/%21%24%26?%21%24%26", "/e/a?b??", "/e/%7F?%7f",
		"http://x/e/abs?y", "/admin/host/ping", "/admin", "/admin/x", "/runtime/x/y", "/k", "/a",
	} {
		get("target", target)
	}
	get("twice", "/e/x", "X-Two: 1", "X-Two: 2", "Cookie: a=b", "Cookie: c=d")
	get("forged", "/e/x", "Forwarded: for=1", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Host: evil", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /p",
		"X-Azure-Functions-InvocationId: forged", "X-Ms-Invocation-Id: forged", "Disguised-Host: d")
	get("hop by hop", "/e/x", "TE: trailers", "Keep-Alive: 5", "Proxy-Authorization: p", "Alt-Svc: x", "X-L: 1", "Upgrade-Insecure-Requests: 1", "Trailer: X-T")
	get("empty", "/e/x", "X-Empty:", "User-Agent: u")
	for _, key := range []string{"master", "host", "own", "other", "wrong"} {
		for _, path := range []string{"/k", "/a", "/e/x"} {
			get("key", path+"?code="+key)
			get("header "+key, path, "x-functions-key: "+key)
		}
	}
	get("capitals", "/k?CODE=own")
	get("first", "/k?code=own&code=wrong")
	get("second", "/k?code=wrong&code=own")
	get("empty header", "/k?code=own", "X-Functions-Key:")
	get("two headers", "/k", "X-Functions-Key: own", "X-Functions-Key: wrong")
	get("escaped", "/k?c%6Fde=%6Fwn")
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO", "get", "post"} {
		for _, path := range []string{"/", "/e/x", "/m", "/none"} {
			all[method+" "+path] = method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		}
	}
	for name, rest := range map[string]string{
		"with a length": "Content-Length: 3\r\n\r\nabc", "in chunks": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "of nothing": "Content-Length: 0\r\n\r\n",
		"expected": "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "of no length": "Content-Length: x\r\n\r\n", "above the limit": "Content-Length: 10001\r\n\r\n" + strings.Repeat("x", 10001),
		"at the limit": "Content-Length: 10000\r\n\r\n" + strings.Repeat("x", 10000), "in chunks at the limit": "Transfer-Encoding: chunked\r\n\r\n2710\r\n" + strings.Repeat("x", 10000) + "\r\n0\r\n\r\n",
		"in chunks below the limit": "Transfer-Encoding: chunked\r\n\r\n2700\r\n" + strings.Repeat("x", 0x2700) + "\r\n0\r\n\r\n",
		"in chunks far above":       "Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + strings.Repeat("x", 20000) + "\r\n0\r\n\r\n",
	} {
		for _, method := range []string{"POST", "GET"} {
			all["body "+name+" "+method] = method + " /e/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest
		}
	}
	// A host that System.Uri refuses is 500 to the host, and nothing to the front, which asks it nothing.
	for _, host := range []string{"a b", "a,b", "x:", "x:abc", "[::1]:80", "a@b", "A.B:7071", "a_b", "x:80:80"} {
		all["host "+host] = "GET /e/x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
	}
	all["no host"] = "GET /e/x HTTP/1.1\r\nConnection: close\r\n\r\n"
	all["version 1.2"] = "GET /e/x HTTP/1.2\r\nHost: x\r\n\r\n"
	all["version 2"] = "GET /e/x HTTP/2.0\r\nHost: x\r\n\r\n"
	all["all"] = "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	all["tunnel"] = "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n"
	for _, n := range []int{8190, 8191, 8192, 8193} {
		get("line of "+strconv.Itoa(n), "/e/"+strings.Repeat("a", n-len("GET /e/ HTTP/1.1\r\n")))
	}
	for _, n := range []int{97, 98, 99} {
		get("headers beside two "+strconv.Itoa(n), "/e/x", strings.Split(strings.TrimSuffix(strings.Repeat("A: b\n", n), "\n"), "\n")...)
	}
	for _, path := range []string{"/redirect", "/empty", "/broken", "/truncated", "/early", "/headers/none", "/headers/body", "/unmodified"} {
		get("answer", path)
		all["answer to a body "+path] = "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"
	}
	for i, head := range []string{"GET", "POST", "DELETE", "POST\r\nContent-Length: 0", "GET\r\nContent-Type: a/b", "PUT\r\nContent-Length: 3"} {
		method, header, _ := strings.Cut(head, "\r\n")
		all["dropped "+head] = fmt.Sprintf("%s /drop/SIDE%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s",
			method, i, strings.TrimPrefix(header+"\r\n", "\r\n"), strings.Repeat("x", strings.Count(head, "3")*3))
	}
	return all
}

func TestTheEmulatorAnswersAsTheFront(t *testing.T) {
	t.Parallel()
	function := func(route, level string, methods ...string) string {
		text := strings.Replace(strings.Replace(proxyFunction, "{*path}", route, 1), "anonymous", level, 1)
		if len(methods) > 0 {
			list, _ := json.Marshal(methods)
			text = strings.Replace(text, `"route"`, `"methods":`+string(list)+`,"route"`, 1)
		}
		return text
	}
	files := map[string]string{"host.json": hostJSON(`,"enableProxyingHttpRequest":true`)}
	for name, text := range map[string]string{
		"everything": function("e/{*p}", "anonymous"), "keyed": function("k", "function"), "master": function("a", "admin"), "Method": function("m", "anonymous", "get", "POST"),
		"version": function("v{n:int}/{a}.{b?}", "anonymous"), "number": function("n/{x:int}", "anonymous"), "own": function("admin2/x", "anonymous"),
		"z-first": function("twice", "function"), "Z_second": function("{x:alpha}", "anonymous", "GET"), "answers": function("{x:regex(^(redirect|empty|broken|truncated|early|drop|headers|unmodified)$)}/{*p}", "anonymous"),
		"adm": function("{x:regex(^(admin|runtime)$)}/{*p}", "anonymous"),
	} {
		files[name+"/function.json"] = text
	}
	delete(files, "own/function.json") // the front does not leave it out
	keys := Keys{Master: "master", Host: map[string]string{"default": "host"}, Function: map[string]map[string]string{"keyed": {"default": "own"}, "other": {"default": "other"}}}
	b := launch(t, project(t, files), "serve", func(o *Options, p *pace) {
		quick(o, p)
		o.EnforceKeys, o.Keys = true, keys
		o.Env = append(o.Env, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=10000")
	}).ready()
	text, err := json.Marshal(map[string]any{"master": keys.Master, "host": keys.Host, "functions": keys.Function})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	front := startFront(t, b, "--keys", file)
	all := probes()
	var asking sync.WaitGroup
	slots := make(chan struct{}, 8)
	for name, request := range all {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			want := askRaw(front, strings.Replace(request, "SIDE", "front", 1))
			got := askRaw(b.URL(), strings.Replace(request, "SIDE", "emulator", 1))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-front +emulator):\n%s", name, diff)
			}
		})
	}
	asking.Wait()
	t.Logf("%d requests", len(all))
	// Where they differ, the emulator answers as the host (docs/host.md).
	for request, want := range map[string][2]string{
		"GET /admin/host/status HTTP/1.1\r\nHost: x": {"404", "401"},
		"GET /runtime/webhooks HTTP/1.1\r\nHost: x":  {"404", "200"},
		"GET /e/x HTTP/1.1\r\nHost: a..b":            {"200", "500"},
		"GET /e/x HTTP/1.0":                          {"200", "500"},
	} {
		request += "\r\nConnection: close\r\n\r\n"
		if got := [2]string{askRaw(front, request).Status, askRaw(b.URL(), request).Status}; got != want {
			t.Errorf("%q: the front and the emulator answer %v, want %v", request, got, want)
		}
	}
	st, _ := b.current()
	for i := range 6 {
		var counts [2]string
		for j, side := range []string{"front", "emulator"} {
			resp, err := http.Get(fmt.Sprintf("http://%s/dropped/%s%d", st.life.address(), side, i))
			if err != nil {
				t.Fatal(err)
			}
			count, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			counts[j] = string(count)
		}
		if counts[0] != counts[1] || counts[0] == "" {
			t.Errorf("dropped call %d: executed %s times behind the front, %s behind the emulator", i, counts[0], counts[1])
		}
	}
}

func TestTheEmulatorBelievesTheFrontEndOfAzureAsTheFrontDoes(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { o.TrustFront = true }).ready()
	front := startFront(t, b, "--azure")
	for _, claim := range []string{
		"X-Forwarded-Proto: https", "X-Forwarded-Proto: HTTPS", "X-Forwarded-Proto: https, http", "X-Forwarded-Proto: ", "DISGUISED-HOST: app.example.net",
		"DISGUISED-HOST: app.example.net\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil", "X-Forwarded-Host: evil",
	} {
		request := "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + claim + "\r\n\r\n"
		var told [2]string
		for i, url := range []string{front, b.URL()} {
			_, body, _ := strings.Cut(raw(t, url, request), "\r\n\r\n")
			var s seen
			if i := strings.IndexByte(body, '{'); i >= 0 { // after the length of a chunk
				_ = json.NewDecoder(strings.NewReader(body[i:])).Decode(&s)
			}
			told[i] = s.Header.Get("X-Forwarded-Proto") + " " + s.Header.Get("X-Forwarded-Host")
		}
		if told[0] != told[1] || told[0] == " " {
			t.Errorf("%q: the front says %q, the emulator %q", claim, told[0], told[1])
		}
	}
}
