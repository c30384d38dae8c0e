package hostemu

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// until waits for something that happens in other processes.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), testlimit.Wait())
	defer cancel()
	for !done() {
		if pause(ctx, time.Millisecond) != nil {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// gone waits until no process has the id any more.
func gone(t *testing.T, pid string) {
	t.Helper()
	until(t, "handler "+pid+" is gone", func() bool { return !lives(t, pid) })
}

// lives reports whether there is a process with the id.
func lives(t *testing.T, pid string) bool {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(id)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

func TestHandlerGetsTheHostsEnvironment(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"host.json":           strings.Replace(hostJSON(`,"enableProxyingHttpRequest":true`), `"description":{`, `"description":{"arguments":["--port","%FUNCTIONS_CUSTOMHANDLER_PORT%","a b"],"workingDirectory":"work",`, 1),
		"all/function.json":   proxyFunction,
		"work/file":           "",
		"local.settings.json": `{"Values":{"FUNCTIONS_WORKER_RUNTIME":"custom","TAKEN":"no","NUMBER":7}}`,
	})
	b := launch(t, dir, "serve", func(o *Options, _ *pace) { o.Env = append(o.Env, "TAKEN=yes", "SECRET=s") }).ready()
	_, text := b.do(http.MethodGet, "/process", "")
	got := decode[process](t, text)

	port := strconv.Itoa(b.port())
	if diff := cmp.Diff([]string{"--port", port, "a", "b"}, got.Args); diff != "" {
		t.Error(diff)
	}
	if want, _ := filepath.EvalSymlinks(filepath.Join(dir, "work")); got.Dir != want {
		t.Errorf("directory %s, want %s", got.Dir, want)
	}
	for name, want := range map[string]string{
		"FUNCTIONS_CUSTOMHANDLER_PORT":    port,
		"FUNCTIONS_HTTPWORKER_PORT":       port,
		"FUNCTIONS_APP_ROOT_PATH":         dir,
		"WEBSITE_HOSTNAME":                strings.Replace(strings.TrimPrefix(b.URL(), "http://"), "127.0.0.1", "localhost", 1),
		"AZURE_FUNCTIONS_ENVIRONMENT":     "Development",
		"FUNCTIONS_CORETOOLS_ENVIRONMENT": "True",
		"FUNCTIONS_WORKER_RUNTIME":        "custom",
		"TAKEN":                           "yes",
		"NUMBER":                          "7",
		"SECRET":                          "s", // nothing is withheld from a handler
	} {
		if value, _ := lookup(got.Env, name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	id, _ := lookup(got.Env, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID")
	if other, _ := lookup(got.Env, "FUNCTIONS_HTTPWORKER_ID"); len(id) != 36 || id != other {
		t.Errorf("worker ids %q and %q, want one GUID", id, other)
	}
}

func TestOutputComesALineAtATimeWithItsLevel(t *testing.T) {
	t.Parallel()
	type said struct {
		Level Level
		Text  string
	}
	var lines []said
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) {
		o.Lines = func(l Level, text string) { lines = append(lines, said{l, text}) } // until Close returns
	}).ready()
	b.do(http.MethodPost, "/say", "")
	b.Close()
	long := strings.Repeat("x", 300_000)
	for _, want := range []said{
		{LevelInformation, "to stdout"}, {LevelError, "to stderr"}, {LevelInformation, " to the host"}, {LevelInformation, "no LanguageWorkerConsoleLog"},
		{LevelWarning, "a Warning"}, {LevelError, "LanguageWorkerConsoleLog x"}, {LevelInformation, long}, {LevelError, "without an end"},
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s %.50q was not logged", want.Level, want.Text)
		}
		if !strings.Contains(b.output.String(), want.Text+"\n") {
			t.Errorf("output lacks %.50q", want.Text)
		}
	}
}

// away waits until nobody listens where the host did.
func (b *bench) away() {
	b.t.Helper()
	until(b.t, "nobody listens", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func TestRequestsWaitForTheHandler(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil) // not ready yet
	if got := b.status("/x"); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if got, want := len(b.Functions()), 1; got != want {
		t.Fatalf("%d functions, want %d", got, want)
	}
	if got, want := b.Functions()[0].URL, b.URL()+"/{*path}"; got != want {
		t.Errorf("URL %s, want %s", got, want)
	}
}

func TestRequestsWaitOnlySoLongAndThenTheHostStops(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "deaf", func(_ *Options, p *pace) { p.wait = 500 * time.Millisecond })
	if got := b.status("/x"); got != http.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "the handler was not ready within 500ms") {
		t.Errorf("got %v", err)
	}
	b.away()
	gone(t, b.pids()[0])
}

func TestCrashesCountAndTheThirdStopsTheHost(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "3", nil)
	err := b.Wait()
	if want := "the handler failed 3 times, each time less than 30m0s after the last: the handler exited with code 3: to stderr"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := b.Ready(t.Context()); got == nil || got.Error() != err.Error() {
		t.Errorf("Ready says %v", got)
	}
	if got := len(b.pids()); got != 3 {
		t.Errorf("started %d times, want 3", got)
	}
	b.away()
}

func TestCrashesFarApartAreForgotten(t *testing.T) {
	t.Parallel()
	var c crashes
	now := time.Now()
	for i, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {30 * time.Minute, 2}, {31 * time.Minute, 1}, {time.Minute, 2}, {29 * time.Minute, 3}} {
		now = now.Add(step.after)
		if got := c.add(now, 30*time.Minute); got != step.want {
			t.Errorf("event %d: count %d, want %d", i, got, step.want)
		}
	}
}

func TestNoAnswerInTimeCountsAsACrash(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "deaf", func(o *Options, _ *pace) { o.InitTimeout = 500 * time.Millisecond })
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "did not answer GET / on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
	for _, pid := range b.pids() {
		gone(t, pid)
	}
}

func TestExitCodeDecidesOnTheRestart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, starts int
		after        int // status of a request after the exit
	}{
		{0, 1, http.StatusInternalServerError},
		{200, 5, http.StatusOK}, // more often than crashes are allowed
		{1, 2, http.StatusOK},
	} {
		t.Run(strconv.Itoa(test.code), func(t *testing.T) {
			t.Parallel()
			b := launch(t, proxyProject(t), "serve", func(_ *Options, p *pace) {
				p.attempts = 1 // or a request that ends the handler ends the next one too
			}).ready()
			port := b.port()
			for range max(1, test.starts-1) {
				b.exit(test.code, test.starts > 1)
			}
			if got := b.status("/x"); got != test.after {
				t.Errorf("status %d, want %d", got, test.after)
			}
			if got := len(b.pids()); got != test.starts {
				t.Errorf("started %d times, want %d", got, test.starts)
			}
			if b.port() != port {
				t.Error("the port has changed")
			}
		})
	}
}

// exit lets the handler exit and waits until it has; again says to wait for the next one too.
func (b *bench) exit(code int, again bool) {
	b.t.Helper()
	old, _ := b.current()
	b.do(http.MethodPost, fmt.Sprintf("/exit/%d", code), "")
	<-old.worker.ended
	for again {
		st, changed := b.current()
		if st.phase == stopped {
			b.t.Fatal(st.err)
		}
		if st.phase == ready && st.worker != old.worker {
			return
		}
		<-changed
	}
}

// port is where the handler listens.
func (b *bench) port() int {
	st, _ := b.current()
	return st.life.port
}

func TestExitZeroBeforeTheFirstAnswerIsToldAtOnce(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "0", nil)
	if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "exited with code 0 before it answered") {
		t.Errorf("got %v", err)
	}
}

func TestHandlerThatCannotBeStartedIsNoCrash(t *testing.T) {
	t.Parallel()
	dir := project(t, map[string]string{
		"host.json":         `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"}}}`,
		"handler":           "not executable",
		"all/function.json": proxyFunction,
	})
	b := launch(t, dir, "serve", func(_ *Options, p *pace) { p.wait = 50 * time.Millisecond })
	if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "start the handler: fork/exec "+dir+"/handler: permission denied") {
		t.Errorf("got %v", err)
	}
	if got := b.status("/api/x"); got != http.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	if err := b.Wait(); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
	b.away()
}

func TestWithoutFunctionsThereIsNoHandler(t *testing.T) {
	t.Parallel()
	b := launch(t, project(t, map[string]string{"host.json": hostJSON("")}), "serve", nil)
	if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "has no functions") {
		t.Errorf("got %v", err)
	}
	if _, text := b.do(http.MethodGet, "/", ""); !strings.Contains(text, "The host is up") {
		t.Errorf("home page %q", text)
	}
	if got := b.status("/x"); got != http.StatusNotFound {
		t.Errorf("status %d", got)
	}
	if _, err := os.Stat(b.starts); !os.IsNotExist(err) {
		t.Errorf("the handler was started: %v", err)
	}
}

func TestFixedPortMustBeFree(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := project(t, map[string]string{"host.json": hostJSON(fmt.Sprintf(`,"port":%d`, taken.Addr().(*net.TCPAddr).Port)), "all/function.json": proxyFunction})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{Dir: dir, Listener: l})
	if err == nil || !strings.Contains(err.Error(), `host.json: "customHandler.port"`) || !strings.Contains(err.Error(), "cannot be bound") {
		t.Errorf("got %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestRestartReadsTheProjectAgain(t *testing.T) {
	t.Parallel()
	dir := proxyProject(t)
	b := launch(t, dir, "serve", nil).ready()
	first := b.pids()[0]
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write("host.json", "{")
	if err := b.Restart(t.Context()); err == nil || !strings.Contains(err.Error(), "host.json: line 1") {
		t.Errorf("got %v", err)
	}
	if got := b.status("/x"); got != http.StatusOK {
		t.Errorf("status %d with the old project", got)
	}

	write("host.json", hostJSON(`,"enableProxyingHttpRequest":true`))
	write("all/function.json", strings.Replace(proxyFunction, "{*path}", "only", 1))
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone(t, first)
	if got := b.status("/only"); got != http.StatusOK { // waits for the new handler
		t.Errorf("status %d", got)
	}
	if got := b.status("/x"); got != http.StatusNotFound {
		t.Errorf("status %d for a route that is gone", got)
	}
}

func TestRestartRevivesAStoppedHost(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "once 3", func(_ *Options, p *pace) { p.crashes = 1 })
	if err := b.Wait(); err == nil {
		t.Fatal("the host did not stop")
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.ready()
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	mcptest.NoLeaks(t)
	b := launch(t, proxyProject(t), "serve", func(o *Options, _ *pace) { o.FunctionTimeout = time.Minute }).ready()
	b.status("/x")
	heads := stream(t.Context(), b)
	b.do(http.MethodGet, "/step", "")
	resp := <-heads
	b.Close()
	resp.Body.Close()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestCloseKillsTheHandlerAndEndsEverything(t *testing.T) {
	t.Parallel()
	b := launch(t, proxyProject(t), "serve", nil).ready()
	pid := b.pids()[0]
	streaming := make(chan error, 1)
	go func() {
		resp, err := http.Get(b.URL() + "/events")
		if err == nil {
			resp.Body.Close()
		}
		streaming <- err
	}()
	b.do(http.MethodGet, "/step", "") // the stream is open
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	<-streaming
	gone(t, pid)
	if _, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "http://")); err == nil {
		t.Error("the listener is still open")
	}
	if err := b.Wait(); err != nil {
		t.Errorf("Wait says %v", err)
	}
	if err := b.Restart(t.Context()); err == nil {
		t.Error("a closed host restarts")
	}
	if err := b.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestEndOfTheContextStopsTheHost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h, err := Start(ctx, Options{Dir: proxyProject(t), Listener: l, Env: append(os.Environ(), "HANDLER=deaf")})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := h.Wait(); err != nil {
		t.Errorf("Wait says %v", err)
	}
	h.Close()
}
