package hostemu

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestARestartStartsTheNewHandlerBeforeItKillsTheOldOne(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(_ *Options, p *pace) { p.overlap = 200 * time.Millisecond }).ready()
	old, port := b.pids()[0], b.port()
	heads := stream(t.Context(), b)
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	defer resp.Body.Close()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "a new handler starts", func() bool { return len(b.pids()) == 2 })
	if !lives(t, old) {
		t.Error("the old handler was killed before the new one was started")
	}
	if got := b.status("/x"); got != http.StatusOK { // held until the new one answers
		t.Errorf("status %d", got)
	}
	gone(t, old)
	if b.port() == port {
		t.Error("the new handler has the old one's port")
	}
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the old handler's stream ends well: %q", text)
	}
}

func TestARestartWithAFixedPortKillsFirst(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := project(t, map[string]string{
		"host.json":         hostJSON(fmt.Sprintf(`,"enableProxyingHttpRequest":true,"port":%d`, port)),
		"all/function.json": proxyFunction,
	})
	b := launch(t, dir, "serve", nil).ready()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.ready()
	if got := len(b.pids()); got != 2 || b.port() != port {
		t.Errorf("%d starts, port %d, want two on %d", got, b.port(), port)
	}
}

func TestARestartMendsAHostInError(t *testing.T) {
	t.Parallel()
	dir := proxyProject(t)
	b := launch(t, dir, "serve", nil).ready()
	write := func(route string) {
		text := strings.Replace(proxyFunction, "{*path}", route, 1)
		if err := os.WriteFile(filepath.Join(dir, "all", "function.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write("a//b")
	if got := b.status("/x"); got != http.StatusServiceUnavailable {
		t.Errorf("status %d", got)
	}
	gone(t, b.pids()[0])
	write("x")
	if got := b.status("/x"); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
}

func TestShutdownLetsRunningCallsEndBeforeTheKill(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	answers := make(chan string, 1)
	go func() {
		resp, err := http.Get(b.URL() + "/slow")
		if err != nil {
			answers <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		answers <- fmt.Sprint(string(text), err)
	}()
	b.do(http.MethodGet, "/begun", "")
	ended := make(chan error, 1)
	go func() { ended <- b.Shutdown(t.Context()) }()
	b.away()
	if !lives(t, b.pids()[0]) {
		t.Error("the handler was killed while it worked")
	}
	st, _ := b.current() // the host lets nobody in, so the handler is told directly
	resp, err := http.Get("http://" + st.life.address() + "/end")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := <-answers; got != "done<nil>" {
		t.Errorf("the running call got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	gone(t, b.pids()[0])
}

func TestShutdownCutsCallsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(_ *Options, p *pace) { p.leave = 100 * time.Millisecond }).ready()
	heads := stream(t.Context(), b)
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	defer resp.Body.Close()
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the stream ends well: %q", text)
	}
	gone(t, b.pids()[0])
}

func TestFunctionTimeoutHasAGraceInWhichACallMayEnd(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", func(o *Options, p *pace) { o.FunctionTimeout, p.grace = 100*time.Millisecond, time.Minute }).ready()
	answers := make(chan int, 1)
	go func() {
		resp, err := http.Get(b.URL() + "/slow")
		if err != nil {
			answers <- 0
			return
		}
		resp.Body.Close()
		answers <- resp.StatusCode
	}()
	until(t, "functionTimeout is logged", func() bool { return strings.Contains(b.log.String(), "all: exceeded functionTimeout") })
	b.do(http.MethodGet, "/end", "")
	if got := <-answers; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if got := len(b.pids()); got != 1 {
		t.Errorf("%d starts", got)
	}
}

func TestHandlerIsToldHowClientsKnowTheHost(t *testing.T) {
	t.Parallel()
	claim := []string{"X-Forwarded-Proto", "https", "Disguised-Host", "app.example.net", "X-Forwarded-Host", "evil"}
	for name, test := range map[string]struct {
		adjust      func(*Options)
		proto, host string
	}{
		"nobody is believed":    {func(*Options) {}, "http", ""},
		"by its public address": {func(o *Options) { o.Public = "https://app.example.com" }, "https", "app.example.com"},
		"by the front end":      {func(o *Options) { o.TrustFront = true }, "https", "app.example.net"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { test.adjust(o) }).ready()
			_, text := b.do(http.MethodGet, "/x", "", claim...)
			got := decode[seen](t, text).Header
			want := test.host
			if want == "" {
				want = strings.TrimPrefix(b.URL(), "http://")
			}
			if got.Get("X-Forwarded-Proto") != test.proto || got.Get("X-Forwarded-Host") != want {
				t.Errorf("%s %s, want %s %s", got.Get("X-Forwarded-Proto"), got.Get("X-Forwarded-Host"), test.proto, want)
			}
			if name != "by its public address" {
				return
			}
			_, text = b.do(http.MethodGet, "/process", "")
			if host, _ := lookup(decode[process](t, text).Env, "WEBSITE_HOSTNAME"); host != want {
				t.Errorf("WEBSITE_HOSTNAME is %s", host)
			}
		})
	}
	for _, public := range []string{"app.example.net", "ftp://x", "https://x/y", "https://", "https://u@x", "https://x?y"} {
		if _, err := publicAddress(public); err == nil {
			t.Errorf("%s is accepted", public)
		}
	}
}
