package hostemu

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProxyPassesTheRequestByYARPsRules(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	resp, text := b.do(http.MethodPost, "/api/mcp/a%20b/../c%2Fd?x=1&x=2&code=key&y", "body",
		"Authorization", "Bearer t", "Mcp-Session-Id", "s", "X-Functions-Key", "key", "Content-Type", "application/json",
		"Cookie", "a=b", "User-Agent", "client/1",
		"Forwarded", "for=1.2.3.4", "X-Two", "1", "X-Two", "2", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/evil",
		"X-Azure-Functions-InvocationId", "forged", "X-Ms-Invocation-Id", "forged",
		"Connection", "X-Listed", "X-Listed", "passes", "Te", "trailers", "Proxy-Authorization", "p", "Keep-Alive", "5", "Upgrade", "h2c",
		"Upgrade-Insecure-Requests", "1", "Http2-Settings", "x", "Alt-Svc", "x")
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Handler") != "yes" {
		t.Fatalf("%s %s", resp.Status, text)
	}
	got := decode[seen](t, text)
	id := got.Header.Get("X-Azure-Functions-Invocationid")
	if len(id) != 36 {
		t.Errorf("invocation id %q, want a GUID", id)
	}
	want := seen{
		Method: http.MethodPost, URI: "/api/mcp/c%252Fd?x=1&x=2&code=key&y", Proto: "HTTP/1.1", Body: "body",
		Host: "127.0.0.1:" + strconv.Itoa(b.port()),
		Header: http.Header{
			"Accept-Encoding": nil, "Content-Length": {"4"}, "User-Agent": {"client/1"},
			"Authorization": {"Bearer t"}, "Mcp-Session-Id": {"s"}, "X-Functions-Key": {"key"}, "Content-Type": {"application/json"}, "Cookie": {"a=b"},
			"X-Listed": {"passes"}, "X-Two": {"1, 2"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {strings.TrimPrefix(b.URL(), "http://")}, "X-Forwarded-Proto": {"http"},
			"X-Azure-Functions-Hostversion": {HostVersion}, "X-Azure-Functions-Invocationid": {id}, "X-Ms-Invocation-Id": {id},
		},
	}
	want.Header.Del("Accept-Encoding")
	got.Header.Del("Accept-Encoding") // the test client's own
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestProxyAddsNoHeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /bare HTTP/1.1\r\nHost: somewhere\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	got := decode[seen](t, string(text))
	want := http.Header{
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"somewhere"}, "X-Forwarded-Proto": {"http"},
		"X-Azure-Functions-Hostversion":  {HostVersion},
		"X-Azure-Functions-Invocationid": got.Header["X-Azure-Functions-Invocationid"],
		"X-Ms-Invocation-Id":             got.Header["X-Azure-Functions-Invocationid"],
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Error(diff)
	}
}

func TestProxyStreamsTheRequestBody(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	read, write := io.Pipe()
	go func() {
		for _, part := range []string{"one ", "two"} {
			fmt.Fprint(write, part)
		}
		write.Close()
	}()
	resp, err := http.Post(b.URL()+"/x", "text/plain", read)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if got := decode[seen](t, string(text)); got.Body != "one two" || !got.Chunked {
		t.Errorf("got %+v", got)
	}
}

func TestProxyLeavesResponsesAsTheyAre(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	resp, _ := b.do(http.MethodGet, "/redirect", "")
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/elsewhere" || resp.Header.Get("Set-Cookie") != "a=b" {
		t.Errorf("redirect: %s %v", resp.Status, resp.Header)
	}
	if _, text := b.do(http.MethodGet, "/x", ""); decode[seen](t, text).Header.Get("Cookie") != "" {
		t.Error("the host keeps cookies")
	}
	resp, _ = b.do(http.MethodGet, "/empty", "")
	want := http.Header{"X-Kept": {"1"}, "Date": resp.Header["Date"]}
	if diff := cmp.Diff(want, resp.Header); resp.StatusCode != http.StatusNoContent || diff != "" {
		t.Errorf("%s: %s", resp.Status, diff)
	}
	resp, text := b.do(http.MethodPost, "/early", strings.Repeat("x", 1<<20))
	if resp.StatusCode != http.StatusTeapot || text != "" || resp.Header.Get("Content-Type") != "" {
		t.Errorf("%s %q %v", resp.Status, text, resp.Header)
	}
}

// stream opens /events and returns its head once it is there.
func stream(ctx context.Context, b *bench) <-chan *http.Response {
	heads := make(chan *http.Response, 1)
	go func() {
		defer close(heads)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL()+"/events", nil)
		if err != nil {
			return
		}
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			heads <- resp
		}
	}()
	return heads
}

func TestProxyHoldsTheHeadUntilTheFirstByteAndThenFlushesEachChunk(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heads := stream(ctx, b)
	if got := b.status("/x"); got != http.StatusOK { // a whole round trip, in which no head comes
		t.Errorf("status %d", got)
	}
	select {
	case resp := <-heads:
		t.Fatalf("head %s before the first byte", resp.Status)
	case <-time.After(100 * time.Millisecond):
	}
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	if resp == nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %v", resp)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		if i > 0 {
			b.do(http.MethodGet, "/step", "")
		}
		if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = lines.ReadString('\n')
	}
}

func TestClientsAbortReachesTheHandler(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	ctx, cancel := context.WithCancel(t.Context())
	heads := stream(ctx, b)
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	cancel()
	resp.Body.Close()
	b.do(http.MethodGet, "/aborted", "")
}

func TestIdleStreamIsCut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		adjust func(*Options, *pace)
		held   int // status when the head was held back; zero means no answer at all
	}{
		"by the proxy":     {func(o *Options, _ *pace) { o.IdleTimeout = time.Second }, http.StatusInternalServerError},
		"by the front end": {func(o *Options, _ *pace) { o.FrontIdleTimeout = time.Second }, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := launch(t, proxyProject(t), "serve", test.adjust).ready()
			resp := <-stream(t.Context(), b)
			switch {
			case resp == nil && test.held != 0:
				t.Errorf("no answer, want %d", test.held)
			case resp != nil:
				if resp.Body.Close(); resp.StatusCode != test.held {
					t.Errorf("status %d, want %d", resp.StatusCode, test.held)
				}
			}
			b.do(http.MethodGet, "/aborted", "")

			heads := stream(t.Context(), b)
			b.do(http.MethodGet, "/step", "")
			resp = <-heads
			text, err := io.ReadAll(resp.Body)
			if err == nil || string(text) != "data: 0\n\n" {
				t.Errorf("got %q, %v; want an event and a cut", text, err)
			}
		})
	}
}

func TestIdleStreamIsNotCutWhenThereIsNoLimit(t *testing.T) {
	t.Parallel()
	if w := newWatch(-1, func() { t.Error("fired") }); w != nil {
		t.Error("a negative limit makes a watch")
	}
	var none *watch
	none.touch()
	none.stop()
}

func TestTrafficKeepsAStreamAlive(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { o.IdleTimeout = 2 * time.Second }).ready()
	heads := stream(t.Context(), b)
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for range 13 { // 2.6 s
		<-ticks.C
		b.do(http.MethodGet, "/step", "")
	}
	resp := <-heads
	defer resp.Body.Close()
	text := make([]byte, len("data: 0\n\n")*10+len("data: 10\n\n")*3)
	if _, err := io.ReadFull(resp.Body, text); err != nil || !strings.HasSuffix(string(text), "data: 12\n\n") {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestFailureBeforeTheHeadIs500AndLaterACut(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	if got := b.status("/broken"); got != http.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	resp, err := http.Get(b.URL() + "/truncated")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil || string(text) != "begin" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestUnreachableHandlerIsTriedTenTimes(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(_ *Options, p *pace) { p.retry, p.retryMax = 50*time.Millisecond, 100*time.Millisecond }).ready()
	old, _ := b.current()
	b.exit(0, false)
	begin := time.Now()
	resp, _ := b.do(http.MethodPost, "/x", "body")
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
	if took, want := time.Since(begin), 50*time.Millisecond+8*100*time.Millisecond; took < want {
		t.Errorf("gave up after %v, want nine pauses, %v", took, want)
	}

	// A handler that comes back in time gets the request, body and all.
	go func() {
		if pause(t.Context(), 60*time.Millisecond) == nil {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", old.life.port))
			if err == nil {
				_ = (&http.Server{Handler: handlerMux()}).Serve(closing{l, t})
			}
		}
	}()
	resp, text := b.do(http.MethodPost, "/x", "body")
	if resp.StatusCode != http.StatusOK || decode[seen](t, text).Body != "body" {
		t.Errorf("got %s %s", resp.Status, text)
	}
}

// closing is a listener that ends after its first connection.
type closing struct {
	net.Listener
	t *testing.T
}

func (c closing) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	c.Listener.Close()
	return conn, err
}

func TestBodyAboveTheLimitIs500(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { o.Env = append(o.Env, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=1000") }).ready()
	for _, test := range []struct {
		size, want int
		chunked    bool
	}{
		{1000, http.StatusOK, false},
		{1001, http.StatusInternalServerError, false},
		{900, http.StatusOK, true},
		{1000, http.StatusInternalServerError, true}, // the frames of the chunks count
	} {
		var body io.Reader = strings.NewReader(strings.Repeat("x", test.size))
		if test.chunked {
			body = io.MultiReader(body)
		}
		resp, err := http.Post(b.URL()+"/x", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != test.want {
			t.Errorf("%d bytes, chunked %v: %s, want %d", test.size, test.chunked, resp.Status, test.want)
		}
	}
}

func TestFunctionTimeoutRestartsTheHandler(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { o.FunctionTimeout = time.Second }).ready()
	old, _ := b.current()
	resp := <-stream(t.Context(), b)
	if resp == nil {
		t.Fatal("no answer")
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d", resp.StatusCode)
	}
	<-old.worker.ended
	if got := b.status("/x"); got != http.StatusOK {
		t.Errorf("status %d after the restart", got)
	}
	if got := len(b.pids()); got != 2 {
		t.Errorf("started %d times, want 2", got)
	}
}

func TestKeysAreAskedForWhenEnforced(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"host.json":         hostJSON(`,"enableProxyingHttpRequest":true`),
		"one/function.json": `{"bindings":[{"type":"httpTrigger","name":"req"},{"type":"http","direction":"out","name":"res"}]}`,
	})
	b := launch(t, dir, "serve", func(o *Options, _ *pace) {
		o.EnforceKeys, o.Keys = true, Keys{Master: "m", Function: map[string]map[string]string{"one": {"default": "f"}}}
	}).ready()
	resp, text := b.do(http.MethodGet, "/one", "")
	if resp.StatusCode != http.StatusUnauthorized || text != "" {
		t.Errorf("without a key: %s %q", resp.Status, text)
	}
	for path, want := range map[string]int{
		"/one?code=f": 200, "/one?code=x": 401, "/nowhere": 404, "/admin/host/ping": 200, "/admin/host/status": 401, "/admin/host/status?code=m": 200,
	} {
		if got := b.status(path); got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
}
