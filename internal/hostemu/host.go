package hostemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

// A Host is one running Functions host. Its methods may be called from any goroutine.
type Host struct {
	opts      Options
	pace      pace
	listener  net.Listener
	public    *url.URL        // Options.Public
	client    client          // to the handler
	transport *http.Transport // to the handler, for what is not proxied

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	orders   chan order
	lines    chan line      // the handler's output
	workers  sync.WaitGroup // processes and what reads their output
	calls    sync.WaitGroup // of functions that may continue without a client
	finished chan struct{}  // closed when every goroutine has ended

	mu      sync.Mutex
	state   state
	changed chan struct{} // closed when state is replaced
	door    *door         // nil while the host is gone
}

// A life is one host life: an app and the port that its handler keeps over all restarts.
type life struct {
	*App
	port int
	env  []string // the handler's, but for its worker id
}

// address is where the handler listens, as host:port.
func (l *life) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)) }

// Start loads the project, starts its handler and listens. It returns as soon as it listens; Ready
// waits for the handler. The host owns opts.Listener from here on, and runs until Close, which must
// be called; the end of ctx stops it too.
func Start(ctx context.Context, opts Options) (*Host, error) {
	return start(ctx, opts, realPace())
}

func start(ctx context.Context, opts Options, p pace) (*Host, error) {
	if opts.Env == nil {
		opts.Env = os.Environ()
	}
	if opts.Output == nil {
		opts.Output = io.Discard
	}
	if opts.Logf == nil {
		opts.Logf = func(string, ...any) {}
	}
	if opts.Lines == nil {
		opts.Lines = func(Level, string) {}
	}
	public, err := publicAddress(opts.Public)
	if err != nil {
		return nil, err
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = defaultIdle
	}
	if opts.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:7071")
		if err != nil {
			return nil, err
		}
		opts.Listener = l
	}
	h := &Host{
		opts:      opts,
		pace:      p,
		listener:  opts.Listener,
		public:    public,
		transport: newTransport(),
		orders:    make(chan order),
		lines:     make(chan line, 64),
		finished:  make(chan struct{}),
		changed:   make(chan struct{}),
	}
	app, err := h.load()
	if err != nil {
		return nil, errors.Join(err, h.listener.Close())
	}
	first, err := h.begin(app)
	if err != nil {
		return nil, errors.Join(err, h.listener.Close())
	}
	h.ctx, h.cancel = context.WithCancel(ctx)
	h.publish(state{life: first, phase: starting})
	go h.run(first)
	return h, nil
}

// run holds everything that the host does, and ends when all of it has ended.
func (h *Host) run(first *life) {
	defer close(h.finished)
	var printing sync.WaitGroup
	silent := make(chan struct{})
	printing.Go(func() { h.print(silent) })
	h.enter(h.listener)

	h.supervise(first) // until Close; the handler is dead then

	h.vanish()
	h.calls.Wait()
	h.client.closeIdle()
	h.transport.CloseIdleConnections()
	h.workers.Wait()
	close(silent)
	printing.Wait()
}

// enter lets clients in.
func (h *Host) enter(l net.Listener) {
	d := open(l, h)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.door = d
}

// vanish is the end of the host as clients see it: their connections end, and nobody listens.
func (h *Host) vanish() {
	h.mu.Lock()
	d := h.door
	h.door = nil
	h.mu.Unlock()
	if d != nil {
		d.close()
	}
}

// appear undoes vanish, at the same address.
func (h *Host) appear() error {
	h.mu.Lock()
	there := h.door != nil
	h.mu.Unlock()
	if there {
		return nil
	}
	addr := h.listener.Addr()
	l, err := net.Listen(addr.Network(), addr.String())
	if err != nil {
		return fmt.Errorf("listen again: %w", err)
	}
	h.enter(l)
	return nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		DisableCompression:    true, // bodies pass as they are
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       time.Minute,
		ExpectContinueTimeout: time.Second,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		Protocols:             http1(),
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// load reads the project and lets Options have the last word.
func (h *Host) load() (*App, error) {
	app, err := Load(h.opts.Dir, h.opts.Env)
	if err != nil {
		return nil, err
	}
	if h.opts.InitTimeout != 0 {
		app.InitTimeout = h.opts.InitTimeout
	}
	if h.opts.FunctionTimeout != 0 {
		app.FunctionTimeout = h.opts.FunctionTimeout
	}
	return app, nil
}

// begin chooses the handler's port. The host tests that a fixed one can be bound.
func (h *Host) begin(app *App) (*life, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(app.port)))
	if err != nil {
		return nil, keyError("customHandler:port", "is %d, which cannot be bound: %w", app.port, err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	name := h.address()
	if h.public != nil {
		name = h.public.Host
	}
	return &life{App: app, port: port, env: hostEnv(app.env, name)}, nil
}

// address is host:port as the local host calls itself.
func (h *Host) address() string {
	_, port, err := net.SplitHostPort(h.listener.Addr().String())
	if err != nil {
		return h.listener.Addr().String()
	}
	return net.JoinHostPort("localhost", port)
}

// URL returns where clients connect, without a trailing slash.
func (h *Host) URL() string {
	if tcp, ok := h.listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		return "http://" + tcp.String()
	}
	return "http://" + h.address()
}

// HandlerAddress returns where the handler listens or will listen, as host:port. A restart changes it.
func (h *Host) HandlerAddress() string {
	st, _ := h.current()
	return st.life.address()
}

// Functions returns the functions as they are now, with their URLs.
func (h *Host) Functions() []Function {
	st, _ := h.current()
	functions := make([]Function, len(st.life.Functions))
	copy(functions, st.life.Functions)
	for i := range functions {
		if functions[i].Trigger == "httpTrigger" {
			functions[i].URL = h.URL() + "/" + functions[i].Route
		}
	}
	return functions
}

// Ready waits until the handler has answered its first probe. It returns early with the reason when
// waiting is no use: the host has stopped, it cannot run the app (App.Fault), the handler cannot be
// started, or there is no function.
func (h *Host) Ready(ctx context.Context) error {
	for {
		st, changed := h.current()
		switch {
		case st.phase == stopped && st.err == nil:
			return errors.New("the host is closed")
		case st.life.Fault != nil:
			return st.life.Fault
		case st.err != nil:
			return st.err
		case len(st.life.Functions) == 0:
			return fmt.Errorf("%s has no functions, so the handler is not started", st.life.Dir)
		case st.phase == ready:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the handler does not answer on 127.0.0.1:%d yet: %w", st.life.port, context.Cause(ctx))
		}
	}
}

// Restart reads the project again, as the host does when host.json changes or a function comes or
// goes: it starts a new handler on another port and kills the old one a moment later; requests wait
// until the new one answers. With a project that cannot be loaded everything stays as it was. It
// revives a host that has stopped by its own rules, and forgets the crashes.
//
// A port that host.json fixes is the old handler's until it is dead, so it is killed first then.
func (h *Host) Restart(ctx context.Context) error {
	app, err := h.load()
	if err != nil {
		return err
	}
	begun := make(chan error, 1)
	if err := h.give(ctx, order{next: app, begun: begun}); err != nil {
		return err
	}
	select {
	case err := <-begun:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.finished:
		return errors.New("the host is closed")
	}
}

// Wait returns when the host has stopped by its own rules, with the reason, or nil after Close.
func (h *Host) Wait() error {
	for {
		st, changed := h.current()
		if st.phase == stopped {
			return st.err
		}
		<-changed
	}
}

// Shutdown ends the host as SIGTERM does: nobody is let in any more, running calls get until ctx ends,
// or 30 seconds, and only then the handler is killed, without a warning. It closes the host.
func (h *Host) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.pace.leave)
	defer cancel()
	h.mu.Lock()
	d := h.door
	h.mu.Unlock()
	if d != nil {
		d.leave(ctx)
	}
	return h.Close()
}

// Close kills the handler, not its children, and ends the host with all its goroutines. It may be
// called again. It waits for opts.Output to take what the handler has written.
func (h *Host) Close() error {
	h.cancel()
	<-h.finished
	return nil
}

// TriggerTimer runs a timer function now and waits for its result.
func (h *Host) TriggerTimer(ctx context.Context, name string) error {
	st, err := h.await(ctx)
	if err != nil {
		return err
	}
	if st.life.Fault != nil {
		return st.life.Fault
	}
	f, err := st.life.function(name)
	if err != nil {
		return err
	}
	if f.Trigger != "timerTrigger" {
		return fmt.Errorf("function %q has a %s, not a timerTrigger", f.Name, f.Trigger)
	}
	ctx, done := h.limit(ctx, st, f.Name)
	defer done()
	in := invocation{id: newGUID(), life: st.life, worker: st.worker, function: f}
	if _, err := h.envelope(ctx, in, timerData(), map[string]any{}); err != nil {
		return fmt.Errorf("function %q: %w", f.Name, err)
	}
	return nil
}
