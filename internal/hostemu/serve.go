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
	errIdle            = errors.New("no data was transferred for longer than the host allows")
	errFrontIdle       = errors.New("no data was transferred for longer than the front end allows")
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
	path     string // decoded, without dot segments
	query    string // as it came
	hasQuery bool
	scheme   string // as the client sees the host
	host     string
	front    *watch // nil without a front end's limit
}

// target is where the handler listens, as host:port.
func (in invocation) target() string { return in.life.address() }

// url is where the client asked.
func (in invocation) url(r *http.Request) string {
	return in.scheme + "://" + in.host + r.URL.RequestURI()
}

// ServeHTTP answers a client: the host's own paths itself, everything else by a function.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := refusal(r); status != 0 {
		w.Header().Set("Connection", "close")
		finish(w, r, status)
		return
	}
	escaped, query, hasQuery := splitTarget(r)
	path, ok := decodePath(escaped)
	if !ok {
		w.Header().Set("Connection", "close")
		finish(w, r, http.StatusBadRequest)
		return
	}
	if h.serveOwn(w, r, path) {
		return
	}
	h.serveFunction(w, r, invocation{id: newGUID(), path: path, query: query, hasQuery: hasQuery})
}

func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request, in invocation) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	in.scheme, in.host = h.seenAs(r)
	if h.opts.FrontIdleTimeout > 0 {
		in.front = newWatch(h.opts.FrontIdleTimeout, func() { cancel(errFrontIdle) })
		defer in.front.stop()
	}
	status, err := h.admit(ctx, r, &in)
	switch {
	case context.Cause(ctx) != nil, errors.Is(err, errNotRunning):
		abort(r) // nobody is there to answer, or to be answered
	case err != nil: // the host gives up, but answers first
		h.opts.Logf("%s: %v", in.path, err)
		finish(w, r, http.StatusInternalServerError)
		_ = http.NewResponseController(w).Flush()
		h.calls.Go(func() { // the end waits for this call, and the client may be gone
			_ = h.give(context.WithoutCancel(ctx), order{giveUp: err}) // closing and leaving end in the same
		})
		return
	case status == http.StatusServiceUnavailable:
		http.Error(w, "Function host is not running.", status)
		return
	case status == http.StatusOK && in.worker == nil:
		h.serveHome(w)
		return
	case status != http.StatusOK:
		finish(w, r, status)
		return
	}

	ctx, done := h.limit(ctx, state{life: in.life, worker: in.worker}, in.function.Name)
	defer done()
	begun, err := h.invoke(w, r.WithContext(ctx), in)
	if err == nil {
		return
	}
	switch {
	case r.Context().Err() != nil:
		h.opts.Logf("%s: the client disconnected", in.function.Name)
		abort(r)
	case begun || errors.Is(err, errFrontIdle):
		h.opts.Logf("%s: connection aborted: %v", in.function.Name, err)
		abort(r) // a response cut short must not look complete
	default:
		// Whatever the intended status was (413, 502, 504), the exception that follows it ends in
		// ExceptionMiddleware, which makes it 500.
		h.opts.Logf("%s: %v", in.function.Name, err)
		finish(w, r, http.StatusInternalServerError)
	}
}

// serveHome answers at "/" when no function does.
func (h *Host) serveHome(w http.ResponseWriter) {
	st, _ := h.current()
	if v, _ := lookup(st.life.env, "AzureWebJobsDisableHomepage"); strings.EqualFold(v, "true") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<!DOCTYPE html><title>Azure Functions</title><p>The host is up and running.\n")
}

// admit finds the function and the handler for a request, and fills in what it found. It returns 200,
// with no worker for the home page, or the status to refuse with, or why the host gives up.
func (h *Host) admit(ctx context.Context, r *http.Request, in *invocation) (int, error) {
	for {
		st, _ := h.current()
		switch {
		case st.phase == stopped:
			return 0, errNotRunning
		case st.life.Fault != nil:
			return http.StatusServiceUnavailable, nil
		}
		f, params, ok := st.life.match(r.Method, in.path)
		switch {
		case !ok && in.path == "/":
			return http.StatusOK, nil
		case !ok:
			return http.StatusNotFound, nil
		case h.opts.EnforceKeys && !h.opts.Keys.admits(r, f):
			return http.StatusUnauthorized, nil
		case f.disabled && !(h.opts.EnforceKeys && h.opts.Keys.isMaster(r)):
			return http.StatusNotFound, nil
		case !isAuthority(in.host) || r.Method == http.MethodConnect:
			return http.StatusInternalServerError, nil
		}
		now, err := h.await(ctx)
		if err != nil {
			return 0, err
		}
		if now.life == st.life {
			in.life, in.worker, in.function, in.params = now.life, now.worker, f, params
			return http.StatusOK, nil
		}
	}
}

// await waits for a handler that is ready. An error other than errNotRunning is the host's reason to
// stop: it has waited for too long.
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
			return st, why
		}
	}
}

// limit bounds an invocation by functionTimeout. The host logs its end, gives the invocation two
// seconds more, and then kills the handler and starts a new one. done must be called.
func (h *Host) limit(ctx context.Context, st state, function string) (_ context.Context, done func()) {
	timeout := st.life.FunctionTimeout
	if timeout < 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(timeout, func() {
		h.opts.Logf("%s: exceeded functionTimeout, %v; the handler is killed in %v", function, timeout, h.pace.grace)
	})
	end := time.AfterFunc(timeout+h.pace.grace, func() {
		st.worker.expire()
		cancel(errFunctionTimeout)
	})
	return ctx, func() { late.Stop(); end.Stop(); cancel(nil) }
}

// invoke passes the request on in the app's mode. It reports whether the client has got the head of a
// response already.
func (h *Host) invoke(w http.ResponseWriter, r *http.Request, in invocation) (begun bool, err error) {
	if r.ContentLength > 0 {
		whole, err := takeBody(r, in.life.maxBody)
		if err != nil {
			return false, causeOr(r.Context(), err)
		}
		defer whole.Close()
		r.Body = io.NopCloser(whole)
	}
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
