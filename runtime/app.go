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
	watch      *watch.Hub // nil: nobody looks
	page       devPage    // of mcpfunc dev; nil: there is none
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

// New checks cfg and returns an App; nil options are the zero value. What is wrong with cfg is a
// *ConfigError, unless LoadConfig has read it under the Functions host: what cannot be served is answered with
// 503 then, and logged. No process starts before its first request but those that Prewarm asks for. Close must
// be called.
//
// An App changes nothing about the process that it is in, but that what it starts inherits no descriptors: these
// are marked to be closed (FD_CLOEXEC). See ListenAndServe for more.
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

// addServers checks the servers. Of those that cannot be served it notes why, where that is no error.
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

// check says what is wrong with the configuration as a whole.
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

// ServeHTTP answers one request, and takes all of its body in, even that of a request that it refuses.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(intakeTime)
	h := headeds.Get().(*headed)
	*h = headed{ResponseWriter: w}
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		// It may have said a length as well, which net/http drops without a word. Whatever is in front may have
		// gone by that: nothing that follows on this connection is believed (RFC 9112, section 6.3).
		h.Header().Set("Connection", "close")
	}
	a.answer(h, r)
	takeIn(w, r, deadline, &h.rest)
	*h = headed{}
	headeds.Put(h)
}

// answer answers one request, whatever happens.
func (a *App) answer(w *headed, r *http.Request) {
	defer a.answerPanic(w, r)
	a.handler.ServeHTTP(w, r)
}

// Close refuses new sessions, lets calls finish for Options.Drain, ends every session and returns
// once every process is gone. No goroutine and no descriptor of the App is left then. Further calls wait for
// the first. It returns nil.
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
	Idle        int   // of Sessions: those that have needed no process yet, as what they asked was known
	Hibernated  int   // sessions that sleep here, without a process; they are not among Sessions
	Waiting     int   // starts of processes that wait for others
	Memory      int64 // bytes that processes of servers use; zero where that is not known

	Owned     int   // sessions whose requests other instances pass on to this one; without Redis zero
	Forwarded int64 // requests passed on to other instances, since the start
	Answered  int64 // requests of other instances that were answered here, since the start
}

// Stats returns the figures of now.
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

// ListenAndServe serves at addr until ctx ends, lets calls finish, and closes the App. It returns
// nil after that, or the error that kept it from serving. It is called once.
//
// It is for a process that does nothing else, and changes that process until it returns. On Linux the process
// becomes a sub-reaper (PR_SET_CHILD_SUBREAPER), so that whatever servers leave behind is found, even if it has
// left its session and cleared its environment; and a guard, a small shell, stands by, which ends what servers
// have started if this process is killed. Go uses half of the processors, rounded up, since the servers need
// the others, unless the environment variable GOMAXPROCS is set. Memory is given back to the system when nobody
// calls.
//
// In a process with work of its own serve the App, which is an http.Handler, by a server of your own: none of
// this is done then. What that weakens: a process that a server has started is still found after the server's
// end, but not if it left its session and cleared its environment as well; and if your program is killed, its
// servers die with it, but what they have started lives on unless it ends when its stdin does.
func (a *App) ListenAndServe(ctx context.Context, addr string) error {
	return listenAndServe(ctx, addr, a)
}
