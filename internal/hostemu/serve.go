package hostemu

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Why an invocation was cut short.
var (
	errFunctionTimeout = errors.New("the invocation exceeded functionTimeout")
	errIdle            = errors.New("no byte moved for longer than the host allows")
	errFrontIdle       = errors.New("no byte moved for longer than the front end allows")
	errTooLarge        = errors.New("the request's body is larger than the host allows")
	errNotRunning      = errors.New("the host is not running")
)

// An invocation is one call of a function.
type invocation struct {
	id       string
	life     *life
	worker   *worker
	function Function
	params   map[string]string
	path     string // escaped, without dot segments
	front    *watch // nil without a front end's limit
}

// target is where the handler listens, as host:port.
func (in invocation) target() string { return fmt.Sprintf("127.0.0.1:%d", in.life.port) }

// ServeHTTP answers a client: the admin endpoints itself, everything else by a function.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := withoutDots(r.URL.EscapedPath())
	switch segments := splitPath(path); {
	case len(segments) > 0 && (strings.EqualFold(segments[0], "admin") || strings.EqualFold(segments[0], "runtime")):
		h.serveAdmin(w, r, strings.ToLower(strings.Join(segments, "/")))
	default:
		h.serveFunction(w, r, path)
	}
}

// serveAdmin answers what probes ask for. The rest of the admin API does not exist here.
func (h *Host) serveAdmin(w http.ResponseWriter, r *http.Request, path string) {
	switch {
	case path == "admin/host/ping":
		w.WriteHeader(http.StatusOK)
	case h.opts.EnforceKeys && strings.HasPrefix(path, "admin") && !h.opts.Keys.admitsAdmin(r):
		w.WriteHeader(http.StatusUnauthorized)
	case path == "admin/host/status":
		name := map[phase]string{starting: "Initialized", ready: "Running", stopped: "Offline"}
		st, _ := h.current()
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = fmt.Fprintf(w, `{"state":%q,"version":%q}`, name[st.phase], HostVersion)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request, path string) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	in := invocation{id: newGUID(), path: path}
	if h.opts.FrontIdleTimeout > 0 {
		in.front = newWatch(h.opts.FrontIdleTimeout, func() { cancel(errFrontIdle) })
		defer in.front.stop()
	}
	status := h.admit(ctx, r, &in)
	switch {
	case context.Cause(ctx) != nil:
		panic(http.ErrAbortHandler) // nobody is there to answer
	case status == http.StatusServiceUnavailable:
		http.Error(w, "Function host is not running.", status)
		return
	case status == http.StatusOK && in.worker == nil: // the home page
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Azure Functions</title><p>The host is up and running.\n")
		return
	case status != http.StatusOK:
		w.WriteHeader(status)
		return
	}

	ctx, done := limit(ctx, state{life: in.life, worker: in.worker})
	defer done()
	begun, err := h.invoke(w, r.WithContext(ctx), in)
	if err == nil {
		return
	}
	switch {
	case r.Context().Err() != nil:
		h.opts.Logf("%s: the client disconnected", in.function.Name)
		panic(http.ErrAbortHandler)
	case begun || errors.Is(err, errFrontIdle):
		h.opts.Logf("%s: connection aborted: %v", in.function.Name, err)
		panic(http.ErrAbortHandler) // a response cut short must not look complete
	case errors.Is(err, errTooLarge):
		fail(w, r, http.StatusRequestEntityTooLarge)
	default:
		// Whichever status the proxy had in mind (502, 504), the exception that follows it ends in
		// ExceptionMiddleware, which makes it 500.
		h.opts.Logf("%s: %v", in.function.Name, err)
		fail(w, r, http.StatusInternalServerError)
	}
}

// fail answers with a status and no body. What is left of the request is read first, within reason: a
// connection that is closed over unread bytes is reset, and the client may never see the answer.
func fail(w http.ResponseWriter, r *http.Request, status int) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, r.Body, 256<<10) // whatever it ends with
	w.WriteHeader(status)
}

// admit finds the function and the handler for a request, and fills in what it found. It returns 200,
// with no worker for the home page, or the status to refuse with.
func (h *Host) admit(ctx context.Context, r *http.Request, in *invocation) int {
	for {
		st, _ := h.current()
		if st.phase == stopped {
			return http.StatusServiceUnavailable
		}
		f, params, ok := st.life.match(r.Method, in.path)
		switch {
		case !ok && in.path == "/":
			return http.StatusOK
		case !ok:
			return http.StatusNotFound
		case h.opts.EnforceKeys && !h.opts.Keys.admits(r, f):
			return http.StatusUnauthorized
		case f.disabled:
			return http.StatusNotFound
		case r.ContentLength > st.life.maxBody:
			return http.StatusRequestEntityTooLarge
		}
		now, err := h.await(ctx)
		if err != nil {
			return http.StatusServiceUnavailable
		}
		if now.life == st.life {
			in.life, in.worker, in.function, in.params = now.life, now.worker, f, params
			return http.StatusOK
		}
	}
}

// await waits for a handler that is ready. After 120 s it tells the host to stop, as the real one
// does, and fails.
func (h *Host) await(ctx context.Context) (state, error) {
	var late <-chan time.Time
	for {
		st, changed := h.current()
		switch st.phase {
		case ready:
			return st, nil
		case stopped:
			return st, errNotRunning
		}
		if late == nil {
			t := time.NewTimer(h.pace.wait)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st, context.Cause(ctx)
		case <-late:
			why := fmt.Errorf("the handler was not ready within %v", h.pace.wait)
			if st.err != nil {
				why = fmt.Errorf("%w: %w", why, st.err)
			}
			_ = h.give(ctx, order{giveUp: why}) // closing and leaving end in the same answer
			return st, errNotRunning
		}
	}
}

// limit bounds an invocation by functionTimeout, at whose end the handler is killed and started anew.
// done must be called.
func limit(ctx context.Context, st state) (_ context.Context, done func()) {
	if st.life.FunctionTimeout < 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, st.life.FunctionTimeout, errFunctionTimeout)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errFunctionTimeout) {
			st.worker.expire()
		}
	})
	return ctx, func() { stop(); cancel() }
}

// invoke passes the request on in the app's mode. It reports whether the client has got the head of a
// response already.
func (h *Host) invoke(w http.ResponseWriter, r *http.Request, in invocation) (begun bool, err error) {
	switch {
	case in.life.mode == proxying && in.function.simple:
		return h.proxy(w, r, in)
	case in.life.mode == forwarding && in.function.simple:
		return false, h.forward(w, r, in)
	}
	return false, h.serveEnvelope(w, r, in)
}

// newGUID returns a random GUID.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
