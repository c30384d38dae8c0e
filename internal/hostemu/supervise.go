package hostemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A phase is where the host stands.
type phase int

const (
	starting phase = iota // the handler has not answered yet; requests wait
	ready                 // requests go to the handler, alive or not
	stopped               // by Close or by the host's own rules; nobody listens
)

// A state is what requests see. It is replaced as a whole.
type state struct {
	life   *life
	worker *worker // once ready; nil when the app has no functions
	phase  phase
	err    error // starting: why it will not become ready; stopped: why
}

// An order is a wish to the supervisor; one field is set.
type order struct {
	next   *App       // begin a new life with it
	begun  chan error // with next: what became of it; has room for one
	giveUp error      // a request waited too long for the handler
}

func (h *Host) publish(st state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = st
	close(h.changed)
	h.changed = make(chan struct{})
}

// current returns the state, and a channel that is closed when it is no longer true.
func (h *Host) current() (state, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state, h.changed
}

// give hands an order to the supervisor, which takes orders at any time but for the second at most
// in which it kills a handler.
func (h *Host) give(ctx context.Context, o order) error {
	select {
	case h.orders <- o:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.ctx.Done():
		return errors.New("the host is closed")
	}
}

// supervise owns the handler's process. It lives one life after the other until Close.
func (h *Host) supervise(l *life) {
	var old *worker // of the life before, while it still runs
	for l != nil {
		o, left, why := h.live(l, old)
		if o.next == nil { // else requests wait for the next life
			h.publish(state{life: l, phase: stopped, err: why})
			h.vanish()
		}
		if why != nil {
			h.opts.Logf("host stopped: %v", why)
		}
		if left != nil && o.next.port != 0 { // which the new handler could not have otherwise
			h.kill(left)
			left = nil
		}
		if l = h.next(l, o); l == nil && left != nil {
			h.kill(left)
		}
		old = left
	}
}

// kill ends a handler, and with it the connections to it.
func (h *Host) kill(w *worker) {
	w.kill(h.pace.kill)
	h.client.closeIdle()
	h.transport.CloseIdleConnections()
}

// next waits, after a life has ended, for the app of the next one; o may hold it already. It returns
// nil after Close.
func (h *Host) next(old *life, o order) *life {
	for {
		if o.next != nil {
			l, err := h.begin(o.next)
			if err == nil {
				err = h.appear()
			}
			if err == nil {
				h.publish(state{life: l, phase: starting})
				o.begun <- nil
				return l
			}
			h.publish(state{life: old, phase: stopped, err: err})
			h.vanish()
			o.begun <- err
		}
		select {
		case o = <-h.orders:
		case <-h.ctx.Done():
			return nil
		}
	}
}

// live runs handlers until the host stops by its own rules, with the reason, or is told to stop, with
// the order to begin a new life if there is one, and then the handler that it replaces. old is the one
// that this life replaces.
func (h *Host) live(l *life, old *worker) (o order, left *worker, why error) {
	var crashed crashes
	for {
		end := h.runWorker(l, old)
		old = nil
		switch {
		case end.crash != nil:
			if crashed.add(time.Now(), h.pace.forgetting) >= h.pace.crashes {
				return order{}, nil, fmt.Errorf("the handler failed %d times, each time less than %v after the last: %w",
					h.pace.crashes, h.pace.forgetting, end.crash)
			}
			h.opts.Logf("restarting the handler: %v", end.crash)
		case end.restart != "":
			h.opts.Logf("restarting the handler: %s", end.restart)
		default:
			return end.order, end.left, end.order.giveUp
		}
	}
}

// crashes counts error events as HttpFunctionInvocationDispatcher does: one that comes late after the
// one before begins a new count.
type crashes struct {
	count int
	last  time.Time
}

func (c *crashes) add(now time.Time, forgetting time.Duration) int {
	if now.Sub(c.last) > forgetting {
		c.count = 0
	}
	c.count, c.last = c.count+1, now
	return c.count
}

// An ending is why a handler's run is over: a crash, which counts, a restart, which does not, or an
// order. The zero value is Close.
type ending struct {
	crash   error
	restart string
	order   order
	left    *worker // still runs; with order.next only
}

// Exit codes with a meaning (WorkerConstants.cs).
const (
	exitSuccess = 0   // not restarted: later requests fail
	exitRestart = 200 // restarted, not counted
)

// runWorker runs the handler once, and kills old a moment after it has started. No process is left when
// it returns but ending.left.
func (h *Host) runWorker(l *life, old *worker) (end ending) {
	now := state{life: l, phase: starting} // as published already
	var ended <-chan struct{}
	var expired <-chan struct{}
	var probed <-chan error
	w, err := h.launch(l)
	if old != nil {
		_ = pause(h.ctx, h.pace.overlap) // or the end
		h.kill(old)
	}
	switch {
	case err != nil:
		// The host raises no error event for this: requests wait until it gives up.
		now.err = err
		h.publish(now)
		h.opts.Logf("%v", err)
	case w == nil:
		now.phase = ready
		h.publish(now)
	default:
		ctx, cancel := context.WithCancel(h.ctx)
		answer := make(chan error, 1)
		go func() { answer <- h.probe(ctx, l); close(answer) }()
		ended, expired, probed = w.ended, w.expired, answer
		defer func() {
			h.publish(state{life: l, phase: starting}) // what comes from here on waits
			if end.order.next != nil {
				end.left = w
			} else {
				h.kill(w)
			}
			cancel()
			for range answer {
			}
		}()
	}
	for {
		select {
		case err, ok := <-probed:
			if !ok {
				probed = nil
				continue
			}
			if err != nil {
				return ending{crash: err}
			}
			now.phase, now.worker, now.err = ready, w, nil
			h.publish(now)
			h.opts.Logf("handler answers on 127.0.0.1:%d", l.port)
		case <-ended:
			ended = nil
			h.client.closeIdle()
			h.transport.CloseIdleConnections()
			switch w.code {
			case exitRestart:
				return ending{restart: "it exited with code 200"}
			case exitSuccess:
				h.opts.Logf("handler exited with code 0 and is not restarted")
				if now.phase == starting {
					now.err = errors.New("the handler exited with code 0 before it answered; the host does not restart such a handler")
					h.publish(now)
				}
			default:
				return ending{crash: crashError(w)}
			}
		case <-expired:
			return ending{restart: "an invocation exceeded functionTimeout"}
		case o := <-h.orders:
			if o.giveUp != nil && now.phase == ready {
				continue // it answered in the very moment
			}
			return ending{order: o}
		case <-h.ctx.Done():
			return ending{}
		}
	}
}

func crashError(w *worker) error {
	if words := w.lastWords(); words != "" {
		return fmt.Errorf("the handler exited with code %d: %s", w.code, words)
	}
	return fmt.Errorf("the handler exited with code %d", w.code)
}

// launch starts the handler's process. Without functions, or with a fault, the host starts none, and
// that is no error.
func (h *Host) launch(l *life) (*worker, error) {
	for _, d := range l.Dropped {
		h.opts.Logf("function %s is skipped: %v", d.Name, d.Err)
	}
	if l.Fault != nil {
		h.opts.Logf("the host cannot run the app and answers 503: %v", l.Fault)
		return nil, nil
	}
	if len(l.Functions) == 0 {
		h.opts.Logf("no functions found, so the handler is not started")
		return nil, nil
	}
	cmd, err := l.handler.build(handlerEnv(l.env, l.Dir, newGUID(), l.port))
	if err != nil {
		return nil, fmt.Errorf("start the handler: %w", err)
	}
	w, err := startWorker(cmd, h.lines, h.pace.drain)
	if err != nil {
		return nil, fmt.Errorf("start the handler: %w", err)
	}
	h.workers.Go(func() { <-w.ended })
	h.opts.Logf("handler started with pid %d on 127.0.0.1:%d: %q", cmd.Process.Pid, l.port, cmd.Args)
	return w, nil
}

// probe asks for / until anything answers. Whatever is not a failure to connect counts as an answer,
// even one that is no HTTP, and the whole body of an answer is read (DefaultHttpWorkerService.cs:
// IsWorkerReady).
func (h *Host) probe(ctx context.Context, l *life) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.InitTimeout,
		fmt.Errorf("the handler did not answer GET / on 127.0.0.1:%d within %v", l.port, l.InitTimeout))
	defer cancel()
	client := &http.Client{Transport: h.transport}
	if l.mode == forwarding {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	for {
		err := ping(ctx, client, l.port)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !refused(err) {
			return nil
		}
		if pause(ctx, h.pace.probe) != nil {
			return context.Cause(ctx)
		}
	}
}

func ping(ctx context.Context, client *http.Client, port int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "") // the host sends none
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// refused reports whether err says that no connection came about.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// pause sleeps, and returns early with the cause when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
