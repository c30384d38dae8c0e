package mcpfunc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/devpage"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Options adjusts an App; nil and the zero value are what the scaffolder uses.
type Options struct {
	Middleware  []func(http.Handler) http.Handler // around everything; the first is outermost
	Launcher    Launcher                          // nil means ExecLauncher
	Logger      *slog.Logger                      // nil means JSON on stdout, which the Functions host expects
	Grace       time.Duration                     // that a process gets on each rung when it is stopped; zero 3 s
	Drain       time.Duration                     // that calls get to finish when the app stops; zero 10 s
	StreamLimit time.Duration                     // of one SSE answer, below the host's functionTimeout; zero 25 min
	Starts      int                               // processes starting at a time; zero four times the processors

	transport http.RoundTripper // to identity providers; tests set it
}

// An App serves MCP over streamable HTTP. It is an http.Handler, safe for concurrent use.
type App struct {
	cfg       Config
	opts      Options
	log       *slog.Logger
	processes *process.Supervisor
	table     *session.Table
	budget    *message.Budget
	broker    *broker.Broker
	unshare   func() // lets go of what instances share
	servers   []*server
	byName    map[string]*server // by name in lower case, as the host matches routes
	handler   http.Handler
	started   time.Time
	watch     *watch.Hub    // nil: nobody looks
	page      *devpage.Page // of mcpfunc dev; nil: there is none

	mu       sync.Mutex
	posts    int           // calls being answered; guarded by mu
	draining chan struct{} // closed when posts is 0 after Close has begun; nil before
	closed   sync.Once
}

// budget is how many bytes large messages may have in memory together, and budgetWait how long one
// waits for its share.
const (
	budget     = 256 << 20
	budgetWait = 10 * time.Second
)

// New checks cfg and returns an App. No process starts before its first request but those that
// Prewarm asks for. Close must be called.
func New(cfg *Config, opts *Options) (*App, error) {
	a := &App{cfg: *cfg, byName: map[string]*server{}, started: time.Now()}
	if opts != nil {
		a.opts = *opts
	}
	a.defaults()
	if len(cfg.Servers) == 0 {
		return nil, errors.New("there is no server to serve: add one to the configuration, or switch one on")
	}
	secrets := newRedactor(cfg.Servers, slices.Concat(strings.Split(cfg.SessionKeys, ","), []string{cfg.RedisURL, cfg.devKey}, cfg.secrets)...)
	a.observe(secrets)
	a.broker = broker.New(broker.Options{Logger: a.log, Transport: a.opts.transport, Listener: a.tokenShares})
	for i := range cfg.Servers {
		s, err := a.newServer(cfg.Servers[i])
		if err != nil {
			return nil, fmt.Errorf("server %q: %w", cfg.Servers[i].Name, err)
		}
		a.servers = append(a.servers, s)
		a.byName[strings.ToLower(s.spec.Name)] = s
	}
	if len(a.byName) != len(a.servers) {
		return nil, errors.New("two servers have the same name but for case")
	}
	if a.fallback() == nil {
		return nil, fmt.Errorf("the default server %q is not among the servers", cfg.DefaultServer)
	}
	travel, unshare, err := a.travel()
	if err != nil {
		return nil, err
	}
	a.unshare = unshare
	a.processes = process.Open(a.log)
	a.budget = message.NewBudget(max(budget, 2*max(a.cfg.MaxRequestBytes, a.cfg.MaxResponseBytes)), budgetWait)
	a.table = session.NewTable(a.log, secrets.redact, session.Limits{
		Sessions: cfg.MaxSessions, Starts: a.opts.Starts, Budget: a.budget, Memory: process.Machine{}, Watch: a.watch,
	}, travel)
	for _, s := range a.servers {
		a.connect(s)
	}
	a.openPage(secrets)
	a.handler = http.HandlerFunc(a.route)
	for i := len(a.opts.Middleware) - 1; i >= 0; i-- {
		a.handler = a.opts.Middleware[i](a.handler)
	}
	for _, n := range cfg.notices {
		a.log.Warn(n.text, n.attrs...)
	}
	a.log.Info("app ready", "servers", len(a.servers), "isolation", a.processes.Isolation())
	if text, hint := a.processes.Limitation(); text != "" {
		a.log.Warn(text, "hint", hint)
	}
	return a, nil
}

func (a *App) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&a.opts.Grace, 3*time.Second)
	def(&a.opts.Drain, 10*time.Second)
	def(&a.opts.StreamLimit, 25*time.Minute)
	def(&a.cfg.Keepalive, 20*time.Second)
	if a.cfg.Keepalive < 0 {
		a.cfg.Keepalive = a.opts.StreamLimit
	}
	if a.cfg.MaxRequestBytes == 0 {
		a.cfg.MaxRequestBytes = 32 << 20
	}
	if a.cfg.MaxResponseBytes == 0 {
		a.cfg.MaxResponseBytes = 64 << 20
	}
	if a.opts.Launcher == nil {
		a.opts.Launcher = ExecLauncher{}
	}
	if a.log = a.opts.Logger; a.log == nil {
		a.log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: a.cfg.LogLevel}))
	}
}

// fallback returns the server behind /api/mcp, or nil if the one that is named is not there.
func (a *App) fallback() *server {
	if a.cfg.DefaultServer == "" {
		return a.servers[0]
	}
	return a.byName[strings.ToLower(a.cfg.DefaultServer)]
}

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Close refuses new sessions, lets calls finish for Options.Drain, ends every session and returns
// once every process is gone. Further calls wait for the first.
func (a *App) Close() error {
	a.closed.Do(func() {
		a.table.Refuse()
		a.watch.Close()
		select {
		case <-a.drained():
		case <-time.After(a.opts.Drain):
			a.log.Warn("calls were still running at the end", "after", a.opts.Drain)
		}
		a.table.Close()
		a.unshare()
		a.broker.Close()
		a.processes.Close()
		a.log.Info("app closed")
	})
	return nil
}

// drained returns a channel that is closed once no call is being answered.
func (a *App) drained() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining == nil {
		a.draining = make(chan struct{})
		if a.posts == 0 {
			close(a.draining)
		}
	}
	return a.draining
}

// count adds n to the calls being answered.
func (a *App) count(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts += n
	if a.posts == 0 && a.draining != nil {
		select {
		case <-a.draining:
		default:
			close(a.draining)
		}
	}
}

// Stats are figures of an App.
type Stats struct {
	Sessions  int            // that clients can reach
	Processes int            // of servers, alive
	Opened    int64          // sessions, since the start
	Ended     int64          // sessions whose process is gone, since the start
	Restarts  int64          // of processes within their session
	Evicted   int64          // sessions ended to make room
	Refused   int64          // sessions, for want of room
	Servers   map[string]int // sessions by server

	Resurrected int64 // of those opened: sessions that were on another instance, or slept
	Hibernated  int   // sessions that sleep here, without a process; they are not among Sessions
}

// Stats returns the figures of now.
func (a *App) Stats() Stats {
	t := a.table.Stats()
	return Stats{
		Sessions: t.Sessions, Processes: a.processes.Children(), Opened: t.Opened, Ended: t.Ended,
		Restarts: t.Restarts, Evicted: t.Evicted, Refused: t.Refused, Servers: t.Servers,
		Resurrected: t.Resurrected, Hibernated: t.Hibernated,
	}
}

// ListenAndServe serves at addr until ctx ends, lets calls finish, and closes the App. It returns
// nil after that, or the error that kept it from serving.
//
// It is for a process that does nothing else: while it serves, Go uses half of the processors, rounded
// up, since the servers need the others, unless the environment variable GOMAXPROCS is set; and memory
// is given back to the system when nobody calls. In a process with work of its own serve the App, which
// is an http.Handler, by a server of your own: it touches neither.
func (a *App) ListenAndServe(ctx context.Context, addr string) error {
	return listenAndServe(ctx, addr, a)
}
