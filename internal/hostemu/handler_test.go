package hostemu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// TestMain runs the test binary as a custom handler when a host started it as one.
func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	if kind, ok := os.LookupEnv("HANDLER"); ok {
		os.Exit(handler(kind))
	}
	os.Exit(m.Run())
}

// handler is a custom handler. kind is "serve", "deaf" (never listens), an exit code, or "once" and an
// exit code for the first start.
func handler(kind string) int {
	if name := os.Getenv("STARTS"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(f, os.Getpid())
		f.Close()
	}
	fmt.Println("to stdout")
	fmt.Fprintln(os.Stderr, "to stderr")
	if code, err := strconv.Atoi(kind); err == nil {
		return code
	}
	if kind == "deaf" {
		time.Sleep(time.Hour) // a bare select ends a program without cgo: it is a deadlock
	}
	if once, ok := strings.CutPrefix(kind, "once "); ok { // an exit code at the first start
		if starts, _ := os.ReadFile(os.Getenv("STARTS")); bytes.Count(starts, []byte("\n")) == 1 {
			code, _ := strconv.Atoi(once)
			return code
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, http.Serve(l, handlerMux()))
	return 1
}

// seen is a request as the handler saw it.
type seen struct {
	Method, URI, Host, Proto string
	Header                   http.Header
	Body                     string
	Chunked                  bool
}

func handlerMux() http.Handler {
	mux := http.NewServeMux()
	steps, aborted := make(chan struct{}), make(chan struct{})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Handler", "yes")
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, r.Proto, r.Header, string(body), r.ContentLength < 0})
	})
	mux.HandleFunc("/process", func(w http.ResponseWriter, _ *http.Request) {
		dir, _ := os.Getwd()
		_ = json.NewEncoder(w).Encode(process{os.Args[1:], dir, os.Environ(), os.Getpid()})
	})
	mux.HandleFunc("/exit/{code}", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		fmt.Fprintln(os.Stderr, "leaving")
		os.Exit(code)
	})
	// Ends the first handler, and is answered by the next.
	mux.HandleFunc("/exit-once", func(http.ResponseWriter, *http.Request) {
		if starts, _ := os.ReadFile(os.Getenv("STARTS")); bytes.Count(starts, []byte("\n")) == 1 {
			os.Exit(1)
		}
	})
	// A head at once, then an event for each request to /step.
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for i := 0; ; i++ {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-steps:
				fmt.Fprintf(w, "data: %d\n\n", i)
			case <-r.Context().Done():
				aborted <- struct{}{}
				return
			}
		}
	})
	// How often each path below it was asked for; nobody gets an answer.
	var drops sync.Map
	mux.HandleFunc("/drop/", func(w http.ResponseWriter, r *http.Request) {
		count, _ := drops.LoadOrStore(r.URL.Path, new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	})
	mux.HandleFunc("/dropped/", func(w http.ResponseWriter, r *http.Request) {
		if count, ok := drops.Load("/drop/" + strings.TrimPrefix(r.URL.Path, "/dropped/")); ok {
			fmt.Fprint(w, count.(*atomic.Int64).Load())
		}
	})
	// An answer at once. The body is taken in where the query says so, and else the connection ends.
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		conn, buf, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		if r.URL.RawQuery == "drain" {
			_, _ = io.Copy(io.Discard, buf) // until the host has read the answer and closes
		}
	})
	mux.HandleFunc("/say", func(http.ResponseWriter, *http.Request) {
		fmt.Printf("LanguageWorkerConsoleLog to the host\nno LanguageWorkerConsoleLog\n%s\n", strings.Repeat("x", 300_000))
		fmt.Fprint(os.Stderr, "a Warning\nLanguageWorkerConsoleLog x\nwithout an end")
	})
	mux.HandleFunc("/step", func(http.ResponseWriter, *http.Request) { steps <- struct{}{} })
	// A call that waits for /end; /begun returns when it has begun.
	begun, end := make(chan struct{}), make(chan struct{})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case begun <- struct{}{}:
			<-end
		case <-end:
		}
		fmt.Fprint(w, "done")
	})
	mux.HandleFunc("/begun", func(http.ResponseWriter, *http.Request) { <-begun })
	mux.HandleFunc("/end", func(http.ResponseWriter, *http.Request) { end <- struct{}{} })
	mux.HandleFunc("/aborted", func(http.ResponseWriter, *http.Request) { <-aborted })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Alt-Svc", "h2")
		w.Header().Set("X-Kept", "1")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/headers/", func(w http.ResponseWriter, r *http.Request) {
		for _, line := range []string{
			"Set-Cookie: a=b", "Set-Cookie: c=d", "X-Twice: 1", "X-Twice: 2", "X-Empty: ", "Mcp-Session-Id: s", "Cache-Control: no-store", "Content-Language: en",
			"Proxy-Authenticate: Basic", "Proxy-Connection: close", "Upgrade: h2c", "Via: 1.1 x", "Vary: Accept, Origin", "WWW-Authenticate: Bearer a", "WWW-Authenticate: Basic b",
		} {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Add(name, value)
		}
		w.WriteHeader(http.StatusUnauthorized)
		if strings.HasSuffix(r.URL.Path, "/body") {
			_, _ = io.WriteString(w, "body")
		}
	})
	mux.HandleFunc("/unmodified", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(http.StatusNotModified)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for path, body := range map[string]string{"/broken": "", "/truncated": "begin"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", body)
			conn.Close()
		})
	}
	mux.HandleFunc("POST /tick", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"Logs":["ticked"]}`) })
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("POST /nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /wrapped", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text, _ := json.Marshal(string(body))
		answer(w, fmt.Sprintf(`{"Outputs":{"res":{"statusCode":"201","headers":{"X-Out":"1"},"body":%s}},"Logs":["a line"]}`, text))
	})
	return mux
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body)
}

// process is how the handler was started.
type process struct {
	Args []string
	Dir  string
	Env  []string
	PID  int
}

// Parts of projects.
const (
	proxyFunction = `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","route":"{*path}"},{"type":"http","direction":"out","name":"res"}]}`
	timerFunction = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"myTimer","schedule":"0 */5 * * * *"}]}`
)

// hostJSON is a host.json for the handler above; more are members, each with a comma before it.
func hostJSON(more string) string { return hostJSONWith("", more) }

// hostJSONWith is hostJSON with a route prefix.
func hostJSONWith(prefix, more string) string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"version":"2.0","extensions":{"http":{"routePrefix":%q}},"customHandler":{"description":{"defaultExecutablePath":%q}%s}}`, prefix, exe, more)
}

func proxyProject(t *testing.T) string {
	return project(t, map[string]string{
		"host.json":         hostJSON(`,"enableProxyingHttpRequest":true`),
		"all/function.json": proxyFunction,
	})
}

// project writes files to a new directory.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A bench is a running host with what it printed and logged.
type bench struct {
	*Host
	t      *testing.T
	output *record
	log    *record
	starts string // a file with a line for each start of the handler
}

// record is text that grows.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// launch starts a host whose handler is of the given kind, and closes it with the test.
func launch(t *testing.T, dir, kind string, adjust func(*Options, *pace)) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, output: &record{}, log: &record{}, starts: filepath.Join(t.TempDir(), "starts")}
	opts := Options{
		Dir:      dir,
		Listener: l,
		Env:      append(os.Environ(), "HANDLER="+kind, "STARTS="+b.starts),
		Output:   b.output,
		Logf:     func(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) },
	}
	p := realPace()
	if adjust != nil {
		adjust(&opts, &p)
	}
	if b.Host, err = start(t.Context(), opts, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		if t.Failed() {
			t.Logf("log:\n%s\noutput:\n%s", b.log, b.output)
		}
	})
	return b
}

func (b *bench) ready() *bench {
	b.t.Helper()
	if err := b.Ready(testlimit.Context(b.t)); err != nil {
		b.t.Fatal(err)
	}
	return b
}

// do sends a request and returns the response with its whole body.
func (b *bench) do(method, path, body string, header ...string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.URL()+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	r.Close = true // a connection whose last request was refused may be reset under the next one
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

// status sends a GET and returns the response's status.
func (b *bench) status(path string, header ...string) int {
	b.t.Helper()
	resp, _ := b.do(http.MethodGet, path, "", header...)
	return resp.StatusCode
}

// pids returns the process ids of all handlers so far.
func (b *bench) pids() []string {
	text, err := os.ReadFile(b.starts)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
