//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// setup is what a handler serves. It gets it on its stdin, whose end is its own.
type setup struct {
	Addr   string
	Config mcpfunc.Config
	Grace  time.Duration
	Drain  time.Duration
	Dir    string // of a project, with a manifest or packed; empty for none
}

// figures are what a handler tells of itself.
type figures struct {
	mcpfunc.Stats
	Goroutines int
	LogBytes   int64
	Secrets    int // of users, in the log
}

// figuresPath is answered by the handler of this suite, and by no other.
const figuresPath = "/chaos/figures"

// handle serves what stdin says until stdin ends or SIGTERM comes.
func handle() int {
	var s setup
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&s); err != nil {
		fmt.Fprintln(os.Stderr, "chaos: setup:", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		io.Copy(io.Discard, os.Stdin) // until the suite is gone
		stop()
	}()
	cfg := &s.Config
	if s.Dir != "" {
		loaded, err := loadProject(s.Dir, s.Config)
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos: project:", err)
			return 1
		}
		cfg = loaded
	}
	var logged counter
	var app *mcpfunc.App
	app, err := mcpfunc.New(cfg, &mcpfunc.Options{
		Logger: slog.New(slog.NewJSONHandler(&logged, nil)), Grace: s.Grace, Drain: s.Drain,
		Middleware: []func(http.Handler) http.Handler{func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != figuresPath {
					next.ServeHTTP(w, r)
					return
				}
				debug.FreeOSMemory()
				json.NewEncoder(w).Encode(figures{app.Stats(), runtime.NumGoroutine(), logged.Load(), int(logged.secrets.Load())})
			})
		}},
	})
	if err == nil {
		err = app.ListenAndServe(ctx, s.Addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	return 0
}

// counter is a log that only its size is kept of, and how many secrets of users are in it.
type counter struct {
	atomic.Int64
	secrets atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	c.secrets.Add(int64(bytes.Count(p, []byte(secretMark))))
	return len(p), nil
}

// handler is the suite's end of a handler.
type handler struct {
	url    string
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr bytes.Buffer // read once gone is closed
	gone   chan struct{}
	once   sync.Once
}

// startHandler starts a handler of servers and returns once it answers. It is ended with the test,
// which fails if the handler complained, as a panic or the race detector does.
func startHandler(t *testing.T, cfg mcpfunc.Config) *handler {
	t.Helper()
	h, err := newHandler(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// newHandler is startHandler for any goroutine.
func newHandler(t *testing.T, cfg mcpfunc.Config) (*handler, error) {
	dir := ""
	if os.Getenv("MCPFUNC_E2E_MANIFEST") != "" {
		dir = t.TempDir()
		if err := throughManifest(t.Context(), dir, cfg); err != nil {
			return nil, err
		}
	}
	return newProjectHandler(t, cfg, dir)
}

// newProjectHandler is newHandler for a project in dir, over which cfg is set. An empty dir is no project.
func newProjectHandler(t *testing.T, cfg mcpfunc.Config, dir string) (h *handler, err error) {
	for range 5 { // its port may be given to somebody else in between
		if h, err = tryHandler(cfg, dir); err == nil {
			t.Cleanup(func() { h.stop(t) })
			return h, nil
		}
	}
	return nil, err
}

func tryHandler(cfg mcpfunc.Config, dir string) (*handler, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := listener.Addr().String()
	listener.Close()
	h := &handler{url: "http://" + addr, cmd: exec.Command(self(), "handler"), gone: make(chan struct{})}
	h.cmd.Stderr = &h.stderr
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	h.stdin = stdin
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		h.cmd.Wait()
		close(h.gone)
	}()
	if err := json.NewEncoder(stdin).Encode(setup{addr, cfg, 300 * time.Millisecond, time.Second, dir}); err != nil {
		h.kill()
		return nil, fmt.Errorf("tell the handler what to serve: %w: %s", err, &h.stderr)
	}
	up := eventually(20*time.Second, 5*time.Millisecond, func() bool {
		select {
		case <-h.gone:
			return true
		default:
		}
		resp, err := http.Get(h.url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	})
	select {
	case <-h.gone:
		return nil, fmt.Errorf("the handler ended: %s", &h.stderr)
	default:
	}
	if !up {
		h.kill()
		return nil, errors.New("the handler does not answer")
	}
	return h, nil
}

func (h *handler) pid() int { return h.cmd.Process.Pid }

// kill is what the Functions host does.
func (h *handler) kill() {
	h.cmd.Process.Kill()
	<-h.gone
}

// stop ends a handler that still runs, as an operator would, and looks at what it left.
func (h *handler) stop(t *testing.T) {
	h.once.Do(func() {
		var below []process
		select {
		case <-h.gone: // and its number may be another's
		default:
			below = descendants(h.pid())
			h.cmd.Process.Signal(syscall.SIGTERM)
		}
		h.stdin.Close()
		select {
		case <-h.gone:
		case <-time.After(20 * time.Second):
			t.Error("the handler did not stop within 20 s")
			h.kill()
		}
		if state := h.cmd.ProcessState; state.ExitCode() > 0 {
			t.Errorf("the handler ended with %v", state)
		}
		if h.stderr.Len() > 0 {
			t.Errorf("the handler said: %s", &h.stderr)
		}
		for _, p := range below { // the guard ends after the handler
			gone := func() bool { now := commandLine(p.pid); return now == "" || now != p.name }
			if !testlimit.Eventually(gone) {
				t.Errorf("%v outlived its handler", p)
			}
		}
	})
}

// figures asks the handler for its own.
func (h *handler) figures(t *testing.T) figures {
	t.Helper()
	resp, err := http.Get(h.url + figuresPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var f figures
	if err := json.NewDecoder(resp.Body).Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

// fake is a server of the suite's own, with limits that no test reaches.
func fake(name, role string) mcpfunc.Server {
	return mcpfunc.Server{
		Name: name, Command: self(), Args: []string{role}, MaxRestarts: 1000,
		Env: map[string]string{"GOMAXPROCS": "1", "GORACE": "atexit_sleep_ms=0"}, // else the race detector's exit takes 1 s
	}
}
