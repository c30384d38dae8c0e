package hostemu

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestForwardingRebuildsTheRequest(t *testing.T) {
	t.Parallel()
	b := launch(t, project(t, map[string]string{
		"host.json":         hostJSON(`,"enableForwardingHttpRequest":true`),
		"all/function.json": proxyFunction,
	}), "serve", nil).ready()
	_, text := b.do(http.MethodPut, "/a/b?x=1&x=2&y=a+b", "body", "User-Agent", "client/1", "X-Forwarded-For", "kept", "Host", "ignored")
	got := decode[seen](t, text)
	id := got.Header.Get("X-Azure-Functions-Invocationid")
	want := seen{
		Method: http.MethodPut, URI: "/a/b?x=1%2C2&y=a%20b", Host: strings.TrimPrefix(b.URL(), "http://"), Proto: "HTTP/1.1", Body: "body",
		Header: http.Header{
			"Content-Length": {"4"}, "User-Agent": {"client/1 Azure-Functions-Host/" + HostVersion}, "X-Forwarded-For": {"kept"},
			"X-Azure-Functions-Hostversion": {HostVersion}, "X-Azure-Functions-Invocationid": {id},
		},
	}
	got.Header.Del("Accept-Encoding")
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == `["Host"]` }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}

	resp, err := http.Post(b.URL()+"/x", "text/plain", io.MultiReader(strings.NewReader("in chunks")))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("a chunked body: %s", resp.Status)
	}
	if got := b.status("/redirect"); got != http.StatusFound {
		t.Errorf("redirect: status %d", got)
	}
	if got := b.status("/truncated"); got != http.StatusInternalServerError { // nothing was sent yet
		t.Errorf("truncated: status %d", got)
	}
}

func TestForwardingKeepsStreamsFromArriving(t *testing.T) {
	t.Parallel()
	b := launch(t, project(t, map[string]string{
		"host.json":         hostJSON(`,"enableForwardingHttpRequest":true`),
		"all/function.json": proxyFunction,
	}), "serve", func(o *Options, _ *pace) { o.FunctionTimeout = time.Second }).ready()
	heads := stream(t.Context(), b)
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	if resp == nil {
		t.Fatal("no answer")
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// envelopeProject has functions whose names are the handler's paths.
func envelopeProject(t *testing.T) string {
	wrapped := `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","route":"wrap/{id}"},{"type":"http","direction":"out","name":"res"},
		{"type":"queue","direction":"out","name":"q"}]}`
	return project(t, map[string]string{
		"host.json":             hostJSON(`,"enableProxyingHttpRequest":true`),
		"wrapped/function.json": wrapped, // a second output: neither proxied nor forwarded
		"fail/function.json":    strings.Replace(wrapped, "wrap/{id}", "failing", 1),
		"nothing/function.json": strings.Replace(wrapped, "wrap/{id}", "silent", 1),
		"tick/function.json":    timerFunction,
	})
}

func TestOtherFunctionsGetAnEnvelope(t *testing.T) {
	t.Parallel()
	b := launch(t, envelopeProject(t), "serve", nil).ready()
	resp, text := b.do(http.MethodPost, "/wrap/7?a=1", "hello", "Content-Type", "text/plain", "X-In", "1")
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("X-Out") != "1" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	type request struct {
		Url, Method, Body string
		Query, Params     map[string]string
		Headers           map[string][]string
		Identities        []struct{ NameClaimType string }
	}
	got := decode[struct {
		Data     struct{ Req request }
		Metadata struct {
			Sys            map[string]string
			Query, Headers map[string]string
			A, ID          string
		}
	}](t, text)
	if v := got.Data.Req.Headers["X-In"]; len(v) != 1 || v[0] != "1" {
		t.Errorf("headers %v", got.Data.Req.Headers)
	}
	if ids := got.Data.Req.Identities; len(ids) != 1 || ids[0].NameClaimType == "" {
		t.Errorf("identities %v, want the anonymous one", ids)
	}
	if m := got.Metadata; m.Query["a"] != "1" || m.Headers["X-In"] != "1" || m.A != "1" || m.ID != "7" {
		t.Errorf("metadata %+v lacks values of the request", m)
	}
	got.Data.Req.Headers, got.Data.Req.Identities = nil, nil
	want := request{Url: b.URL() + "/wrap/7?a=1", Method: http.MethodPost, Body: "hello", Query: map[string]string{"a": "1"}, Params: map[string]string{"id": "7"}}
	if diff := cmp.Diff(want, got.Data.Req); diff != "" {
		t.Error(diff)
	}
	if got.Metadata.Sys["MethodName"] != "wrapped" || len(got.Metadata.Sys["RandGuid"]) != 36 {
		t.Errorf("metadata %v", got.Metadata.Sys)
	}
	if !strings.Contains(b.log.String(), "wrapped: a line\n") {
		t.Errorf("the handler's Logs are lost: %s", b.log)
	}
	_, text = b.do(http.MethodPost, "/wrap/7?a=2&b=3", `{"a":1,"c":{"d":2}}`, "Content-Type", "application/json; charset=utf-8")
	body := decode[struct {
		Metadata struct {
			A, ID any
			B     string
			C     map[string]any
		}
	}](t, text).Metadata
	if body.A != 1.0 || body.B != "3" || body.C["d"] != 2.0 || body.ID != "7" {
		t.Errorf("metadata %+v: the body's members come first, then the query, then the route", body)
	}
	_, text = b.do(http.MethodPost, "/wrap/7", "hello", "Content-Type", "application/octet-stream")
	if !strings.Contains(text, `"Body":"aGVsbG8="`) {
		t.Errorf("bytes do not come as base64: %s", text)
	}
	if got := b.status("/failing"); got != http.StatusInternalServerError {
		t.Errorf("a handler's 502 becomes %d", got)
	}
}

func TestEmptyAnswerHangsUntilFunctionTimeout(t *testing.T) {
	t.Parallel()
	b := launch(t, envelopeProject(t), "serve", func(o *Options, _ *pace) { o.FunctionTimeout = time.Second }).ready()
	old, _ := b.current()
	if got := b.status("/silent"); got != http.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	<-old.worker.ended
}

func TestTimerRunsOnDemand(t *testing.T) {
	t.Parallel()
	b := launch(t, envelopeProject(t), "serve", nil)
	if err := b.TriggerTimer(t.Context(), "Tick"); err != nil { // waits for the handler
		t.Fatal(err)
	}
	if !strings.Contains(b.log.String(), "tick: ticked\n") {
		t.Errorf("log %s", b.log)
	}
	if err := b.TriggerTimer(t.Context(), "fail"); err == nil || err.Error() != `function "fail" has a httpTrigger, not a timerTrigger` {
		t.Errorf("got %v", err)
	}
	if err := b.TriggerTimer(t.Context(), "none"); err == nil || err.Error() != `the app has no function "none"` {
		t.Errorf("got %v", err)
	}
}

func TestHTTPOutputBecomesAResponse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		output, body, media string
		status              int
	}{
		{`{"statusCode":"404","body":"none"}`, "none", "text/plain; charset=utf-8", 404},
		{`{"status":202,"body":{"a":1}}`, `{"a":1}`, "application/json; charset=utf-8", 202},
		{`{"StatusCode":200,"Body":"x","Headers":{"content-type":"text/html"}}`, "x", "text/html", 200},
		{`"text"`, "text", "text/plain; charset=utf-8", 200},
		{``, "", "", 200},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		if err := writeOutput(w, json.RawMessage(test.output)); err != nil {
			t.Errorf("%s: %v", test.output, err)
		}
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Type") != test.media {
			t.Errorf("%s: got %d %q %v", test.output, w.Code, w.Body, w.Header())
		}
	}
	if err := writeOutput(httptest.NewRecorder(), json.RawMessage(`{"statusCode":"fine"}`)); err == nil {
		t.Error("an invalid status is accepted")
	}
}

func TestProbeTakesAnyAnswerButARefusal(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"an error status": "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
		"no HTTP at all":  "hello\r\n",
		"nothing":         "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			lines := make(chan []string, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				head := bufio.NewScanner(conn)
				var got []string
				for head.Scan() && head.Text() != "" {
					got = append(got, head.Text())
				}
				if err := head.Err(); err != nil {
					t.Error(err)
				}
				lines <- got
				fmt.Fprint(conn, reply)
			}()
			h := &Host{transport: newTransport(), pace: realPace()}
			defer h.transport.CloseIdleConnections()
			port := l.Addr().(*net.TCPAddr).Port
			if err := h.probe(t.Context(), &life{App: &App{InitTimeout: 5 * time.Second}, port: port}); err != nil {
				t.Error(err)
			}
			want := []string{"GET / HTTP/1.1", "Host: 127.0.0.1:" + strconv.Itoa(port)}
			if diff := cmp.Diff(want, <-lines); diff != "" {
				t.Error(diff)
			}
		})
	}
}
