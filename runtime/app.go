package mcpfunc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/backplane"
	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// An App serves MCP over streamable HTTP. It is an http.Handler, safe for concurrent use.
type App struct {
	cfg        Config
	opts       Options
	log        *slog.Logger
	supervisor *process.Supervisor
	starter    *child.Starter
	admission  *admission.Controller
	table      *session.Table
	pools      *pool.Pools
	budget     *message.Budget
	broker     *broker.Broker
	providers  http.RoundTripper   // to identity providers
	unshare    func()              // lets go of what instances share
	instance   *backplane.Instance // as other instances know it; nil for none
	servers    []*server
	byName     map[string]*server // by name in lower case, as the host matches routes
	broken     error              // why nothing is served; nil when something is
	faults     map[string]error   // why a server is not, by name as byName
	handler    http.Handler
	started    time.Time
	prefix     string     // that paths begin with, without a slash at its end
	watch      *watch.Hub // nil without a developer's page
	page       devPage    // of mcpfunc dev; nil without it
	audit      *audit

	mu       sync.Mutex
	posts    int           // calls being answered; guarded by mu
	draining chan struct{} // closed when posts is 0 after Close has begun; nil before
	closed   sync.Once
	hurry    chan struct{} // closed when Close must not wait for calls
}

// budget is how many bytes large messages may have in memory together, and budgetWait how long one
// waits for its share.
const (
	budget     = 256 << 20
	budgetWait = 10 * time.Second
)

// New checks cfg and returns an App. Nil options mean the zero value. If cfg is invalid, the error is a
// *ConfigError, unless LoadConfig read it under the Functions host: the App then logs the error and answers
// what it cannot serve with 503. No process starts before the first request, except those that Server.Prewarm
// asks for. The caller must call Close.
//
// An App does not change the process that it runs in, with one exception: open file descriptors are marked
// FD_CLOEXEC, so that servers do not inherit them. See ListenAndServe for what that adds.
func New(cfg *Config, opts *Options) (*App, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	a := &App{byName: map[string]*server{}, faults: map[string]error{}, started: time.Now(), hurry: make(chan struct{})}
	if opts != nil {
		a.opts = *opts
	}
	a.opts = a.opts.withDefaults()
	a.cfg = cfg.withDefaults(a.opts)
	if a.log = a.opts.Logger; a.log == nil {
		a.log = slog.New(newSeverity(os.Stdout, os.Stderr, a.cfg.LogLevel))
	}
	secrets := a.cfg.redactor(os.Environ())
	unredacted := a.log.Handler()
	a.log = slog.New(secret.Handler(unredacted, secrets))
	var err error
	if a.prefix, err = checkPrefix(a.opts.Prefix); err != nil {
		return nil, fmt.Errorf("invalid Options.Prefix %q: %w", a.opts.Prefix, err)
	}
	if err := a.unserved(a.check()); err != nil {
		return nil, err
	}
	if a.providers = a.opts.transport; a.providers == nil {
		a.providers = authn.NewTransport(a.cfg.development, false)
	}
	a.broker = broker.New(broker.Options{Logger: a.log, Transport: a.opts.transport, Listener: a.tokenShares})
	sharing, unshare, err := a.sharing()
	if err = a.unserved(err); err != nil {
		return nil, err
	}
	a.unshare = unshare
	if a.broken == nil {
		err = a.addServers()
	}
	if err != nil {
		unshare()
		return nil, err
	}
	a.observe(secrets)
	a.supervisor = process.Open(a.log)
	a.budget = message.NewBudget(max(cmp.Or(a.opts.budget, budget), 2*max(a.cfg.MaxRequestBytes, a.cfg.MaxResponseBytes)), budgetWait)
	a.starter = child.NewStarter(a.log, secrets, child.Limits{
		Starts: a.opts.Starts, Budget: a.budget, Room: func(server string) bool { return a.admission.HasRoom(server) },
	})
	a.admission = admission.New(cfg.MaxSessions, process.NewMachine(), a.reserve(), a.starter)
	a.table = session.NewTable(session.Options{Log: a.log, Starter: a.starter, Admission: a.admission, Watch: a.watch, Sharing: sharing})
	var minters pool.Minters
	if a.instance != nil {
		minters = a.instance
	}
	a.pools = pool.New(a.log, a.starter, a.admission, a.watch, minters)
	a.audit = &audit{log: slog.New(everything{unredacted}), secrets: secrets}
	for _, s := range a.servers {
		a.connect(s)
	}
	if a.opts.Observer != nil {
		a.opts.Observer.Watch(a.Stats)
	}
	a.handler = http.HandlerFunc(a.route)
	for i := len(a.opts.Middleware) - 1; i >= 0; i-- {
		a.handler = a.opts.Middleware[i](a.handler)
	}
	if a.instance != nil {
		a.instance.Start(a.answerPassed)
	}
	for _, n := range cfg.notices {
		a.log.Warn(n.text, n.attrs...)
	}
	a.log.Info("app ready", "servers", len(a.servers), "isolation", a.supervisor.Isolation())
	if text, hint := a.supervisor.Limitation(); text != "" {
		a.log.Warn(text, "hint", hint)
	}
	return a, nil
}

// addServers checks the servers. Of those that cannot be served it notes why, where that is not an error.
func (a *App) addServers() error {
	for _, spec := range a.cfg.Servers {
		s, err := a.newServer(spec.withDefaults())
		if err != nil {
			err = a.fault(spec, err)
		}
		if err = a.unservedServer(spec, err); err != nil {
			return err
		}
		if s != nil {
			a.servers = append(a.servers, s)
			a.byName[strings.ToLower(s.spec.Name)] = s
		}
	}
	return nil
}

// check returns the errors of the configuration as a whole.
func (a *App) check() error {
	if a.cfg.fault != nil {
		return a.cfg.fault
	}
	fault := func(key string, err error, hint string) error {
		return &ConfigError{File: a.cfg.file, Key: key, Err: err, Hint: hint}
	}
	if len(a.cfg.Servers) == 0 {
		return fault("", errors.New("no servers configured"), "add one to the configuration, or enable one")
	}
	if a.cfg.MaxRequestBytes < 0 || a.cfg.MaxResponseBytes < 0 {
		return fault("runtime.max_message_bytes", errors.New("must be a positive number of bytes"), "")
	}
	names := map[string]bool{}
	for _, s := range a.cfg.Servers {
		name := strings.ToLower(s.Name)
		if names[name] && s.fault == nil {
			return a.fault(s, errors.New("another server has the same name apart from case"))
		}
		names[name] = true
	}
	if name := a.cfg.DefaultServer; name != "" && !names[strings.ToLower(name)] {
		return fault("runtime.default_server", fmt.Errorf("no server is named %q", name), "")
	}
	return nil
}

// fault makes a ConfigError of an error about a server.
func (a *App) fault(s Server, err error) error {
	e, ok := err.(*ConfigError)
	if !ok {
		e = &ConfigError{Err: err}
	}
	e.File, e.Line, e.Server = a.cfg.file, s.line, s.Name
	return e
}

// fallback is the name of the server behind mcpPath, as byName and faults have it: the first, even if it
// cannot be served, since the next may be for others.
func (a *App) fallback() string {
	name := a.cfg.DefaultServer
	if name == "" && len(a.cfg.Servers) > 0 {
		name = a.cfg.Servers[0].Name
	}
	return strings.ToLower(name)
}

// ServeHTTP answers one request. It reads all of the request's body, even if it refuses the request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(intakeTime)
	h := headeds.Get().(*headed)
	conn, _ := r.Context().Value(gathererKey{}).(*gatherer)
	*h = headed{ResponseWriter: w, conn: conn}
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		// It may have said a length as well, which net/http drops without a word. Whatever is in front may have
		// gone by that: nothing that follows on this connection is believed (RFC 9112, section 6.3).
		h.Header().Set("Connection", "close")
	}
	a.answer(h, r)
	takeIn(w, r, deadline, &h.rest)
	h.finish(r)
	*h = headed{}
	headeds.Put(h)
}

// answer answers one request, whatever happens.
func (a *App) answer(w *headed, r *http.Request) {
	defer a.answerPanic(w, r)
	a.handler.ServeHTTP(w, r)
}

// Close refuses new sessions, waits up to Options.Drain for calls to finish, ends every session, and returns
// when every process has ended. No goroutine and no file descriptor of the App is left then. It may be called
// more than once and at the same time: every call waits for the first. It always returns nil.
func (a *App) Close() error {
	a.closed.Do(func() {
		a.admission.Refuse()
		a.table.Refuse()
		a.pools.Refuse()
		a.watch.Close()
		select {
		case <-a.drained():
		case <-a.hurry:
		case <-time.After(a.opts.Drain):
			a.log.Warn("calls still running at shutdown", "after", a.opts.Drain)
		}
		a.closeProcesses()
		a.unshare()
		a.broker.Close()
		a.supervisor.Close()
		if own, ok := a.providers.(*http.Transport); ok && a.opts.transport == nil {
			own.CloseIdleConnections()
		}
		if a.opts.Observer != nil {
			a.opts.Observer.Close()
		}
		a.log.Info("app closed")
	})
	return nil
}

// closeProcesses ends all processes, in parallel, and returns when they are gone.
func (a *App) closeProcesses() {
	var all sync.WaitGroup
	all.Go(a.table.Close)
	all.Go(a.pools.Close)
	all.Go(a.starter.Close)
	all.Wait()
	a.admission.Close()
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

// Stats are figures of an App. Counters begin at zero when the App is created.
type Stats struct {
	Sessions  int            // that clients can reach now
	Processes int            // of servers, running now
	Opened    int64          // sessions opened so far
	Ended     int64          // sessions whose process has ended so far
	Restarts  int64          // of processes within their session, so far
	Evicted   int64          // sessions ended to make room for others, so far
	Refused   int64          // sessions refused because there was no room, so far
	Servers   map[string]int // Sessions by name of the server

	Resurrected int64 // part of Opened: sessions that hibernated or were on another instance
	Idle        int   // part of Sessions: those that have not needed a process yet
	Hibernated  int   // sessions that hibernate here, without a process; not part of Sessions
	Waiting     int   // starts of processes that wait for other starts
	Memory      int64 // bytes that processes of servers use now; zero if unknown

	Owned     int   // sessions whose requests other instances forward to this one; zero without Redis
	Forwarded int64 // requests forwarded to other instances, so far
	Answered  int64 // requests answered for other instances, so far
}

// Stats returns the current figures. It may be called at any time, from any goroutine.
func (a *App) Stats() Stats {
	t := a.table.Stats()
	var f backplane.Figures
	if a.instance != nil {
		f = a.instance.Figures()
	}
	return Stats{
		Sessions: t.Sessions, Processes: a.supervisor.Children(), Opened: t.Opened, Ended: t.Ended,
		Restarts: t.Restarts, Evicted: t.Evicted, Refused: t.Refused + a.pools.Refused(), Servers: t.Servers,
		Resurrected: t.TakenOver, Idle: t.Idle, Hibernated: t.Hibernated, Waiting: a.starter.Waiting(), Memory: a.admission.Used(),
		Owned: f.Owned, Forwarded: f.Forwarded, Answered: f.Answered,
	}
}

// ListenAndServe serves the App at addr, a TCP address such as FunctionsAddr returns, until ctx ends; then it
// lets calls finish and closes the App. It returns nil after that, or the error that kept it from serving.
// Call it once.
//
// It is meant for a process that does nothing else, and changes that process until it returns:
//
//   - On Linux, the process becomes a sub-reaper (PR_SET_CHILD_SUBREAPER). Whatever a server leaves behind is
//     found, even if it has left its session and cleared its environment.
//   - On Linux, a guard, which is a small shell, ends what servers have started if this process is killed.
//   - Go uses half of the processors, rounded up, because servers need the others, unless the environment
//     variable GOMAXPROCS is set.
//   - When no calls come in, memory is returned to the system.
//
// In a process with other work, serve the App with an http.Server of your own instead. None of this is done
// then, which weakens two things: what a server has started is still ended with the server, but not if it
// left its session and cleared its environment as well; and if your program is killed, its servers die with
// it, but what they have started may survive unless it ends when its stdin does.
func (a *App) ListenAndServe(ctx context.Context, addr string) error {
	return listenAndServe(ctx, addr, a)
}
