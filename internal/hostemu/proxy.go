package hostemu

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Headers that do not pass in either direction: YARP's list (RequestUtilities.cs), to the letter. What
// the Connection header names does pass.
func hopByHop() []string {
	return []string{
		"Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Proxy-Connection", "Proxy-Authenticate",
		"Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Features", "Proxy-Instruction",
		"Security-Scheme", "Alpn", "Close", "Te", "Alt-Svc", "Upgrade-Insecure-Requests", "Http2-Settings",
	}
}

// proxy streams a request to the handler and the response back, as the host does through YARP
// (HttpForwarder.cs). The head of the response is held back until the first byte of its body or its
// end; then every chunk is flushed as it comes.
func (h *Host) proxy(w http.ResponseWriter, r *http.Request, in invocation) (begun bool, err error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	idle := newWatch(h.opts.IdleTimeout, func() { cancel(errIdle) })
	defer idle.stop()
	moved := func() { idle.touch(); in.front.touch() }

	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // a handler may answer before it has read the request; only HTTP/1 needs telling
	up := &upload{body: r.Body, left: in.life.maxBody, moved: moved, tooLarge: func() { cancel(errTooLarge) }}
	defer up.closed.Store(true)
	resp, err := h.reach(in.outgoing(ctx, r, up))
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	moved()

	chunk := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(chunk)
		if n > 0 {
			moved()
			if !begun {
				begun = true
				copyHead(w, resp)
			}
			if _, err := w.Write(chunk[:n]); err != nil {
				return true, err
			}
			if err := control.Flush(); err != nil {
				return true, err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return begun, causeOr(ctx, err)
		}
	}
	if !begun {
		copyHead(w, resp)
	}
	for name, values := range resp.Trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
	return true, nil
}

// outgoing builds the request for the handler.
func (in invocation) outgoing(ctx context.Context, r *http.Request, body io.ReadCloser) *http.Request {
	header := r.Header.Clone()
	for _, name := range hopByHop() {
		header.Del(name)
	}
	if _, ok := header["User-Agent"]; !ok {
		header.Set("User-Agent", "") // else net/http adds its own
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	header.Set("X-Forwarded-For", from)
	header.Set("X-Forwarded-Host", r.Host)
	header.Set("X-Forwarded-Proto", "http")
	header.Del("X-Forwarded-Prefix") // set to the path base, and there is none
	header.Set("X-Azure-Functions-Hostversion", HostVersion)
	header.Set("X-Azure-Functions-Invocationid", in.id)
	header.Set("X-Ms-Invocation-Id", in.id)

	out := (&http.Request{
		Method:        r.Method,
		URL:           in.handlerURL(r.URL.RawQuery),
		Header:        header,
		Body:          body,
		ContentLength: r.ContentLength,
	}).WithContext(ctx)
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

// handlerURL is the request's path at the handler, with the route prefix in it.
func (in invocation) handlerURL(query string) *url.URL {
	u := &url.URL{Scheme: "http", Host: in.target(), RawPath: in.path, RawQuery: query}
	u.Path, _ = url.PathUnescape(in.path) // it was a URL's
	return u
}

// reach sends a request until a response's head is there: up to ten times, with pauses that double
// from 50 to 250 ms (RetryProxyHandler.cs). Any failure is tried again while no byte of the body can
// have been sent; with a body that is a failure to connect only.
func (h *Host) reach(out *http.Request) (*http.Response, error) {
	ctx, delay := out.Context(), h.pace.retry
	for attempt := 1; ; attempt++ {
		resp, err := h.transport.RoundTrip(out)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if attempt >= h.pace.attempts || out.Body != http.NoBody && !refused(err) {
			return nil, err
		}
		if err := pause(ctx, delay); err != nil {
			return nil, err
		}
		delay = min(2*delay, h.pace.retryMax)
	}
}

// copyHead puts the head of a response before the client. It is sent with the first flush or the end.
func copyHead(w http.ResponseWriter, resp *http.Response) {
	header := w.Header()
	for name, values := range resp.Header {
		header[name] = values
	}
	for _, name := range hopByHop() {
		header.Del(name)
	}
	if _, ok := header["Content-Type"]; !ok {
		header["Content-Type"] = nil // else net/http guesses one
	}
	w.WriteHeader(resp.StatusCode)
}

func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// An upload is the client's request body on its way to the handler. The transport closes it after a
// failed attempt; it stays readable for the next one until the invocation is over.
type upload struct {
	body     io.Reader
	left     int64
	moved    func()
	tooLarge func()
	closed   atomic.Bool
}

func (u *upload) Read(p []byte) (int, error) {
	if u.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := u.body.Read(p)
	if n > 0 {
		u.moved()
	}
	if u.left -= int64(n); u.left < 0 {
		u.tooLarge()
		return 0, errTooLarge
	}
	return n, err
}

func (u *upload) Close() error { return nil }

// A watch calls a function when it was not touched for some time. A nil one never does.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

// newWatch returns nil, which is a watch that never fires, for a negative limit.
func newWatch(limit time.Duration, f func()) *watch {
	if limit < 0 {
		return nil
	}
	return &watch{timer: time.AfterFunc(limit, f), limit: limit}
}

func (w *watch) touch() {
	if w != nil {
		w.timer.Reset(w.limit)
	}
}

func (w *watch) stop() {
	if w != nil {
		w.timer.Stop()
	}
}
