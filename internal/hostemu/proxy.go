package hostemu

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
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
	_ = control.EnableFullDuplex() // a handler may answer before all of the body is here; only HTTP/1 needs telling
	x := in.outgoing(r)
	if x.body != nil {
		up := &upload{body: x.body, left: math.MaxInt64, moved: moved, tooLarge: func() { cancel(errTooLarge) }}
		if x.length < 0 {
			up.left = in.life.maxBody
		}
		defer up.ended.Store(true)
		x.body = up
		stop := context.AfterFunc(ctx, func() {
			if !up.ended.Load() {
				_ = control.SetReadDeadline(time.Now()) // the client is not waited for any more
			}
		})
		defer stop()
	}
	resp, err := h.reach(ctx, in, x)
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
func (in invocation) outgoing(r *http.Request) *exchange {
	x := &exchange{
		method:  in.method(r),
		address: in.target(),
		target:  encodeTarget(in.path, in.query, in.hasQuery),
		header:  joined(r.Header),
		content: r.ContentLength != 0,
		length:  r.ContentLength,
	}
	if r.ContentLength != 0 {
		x.body = r.Body
	}
	for name := range x.header {
		x.content = x.content || isContentHeader(name)
	}
	for _, name := range append(hopByHop(), "Content-Length", "Forwarded") {
		x.header.Del(name)
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	x.header.Set("X-Forwarded-For", from)
	x.header.Set("X-Forwarded-Host", in.host)
	x.header.Set("X-Forwarded-Proto", in.scheme)
	x.header.Del("X-Forwarded-Prefix") // set to the path base, which is empty
	x.header.Set("X-Azure-Functions-Hostversion", HostVersion)
	x.header.Set("X-Azure-Functions-Invocationid", in.id)
	x.header.Set("X-Ms-Invocation-Id", in.id)
	return x
}

// joined is a header with one value a name, as .NET writes it.
func joined(header http.Header) http.Header {
	one := make(http.Header, len(header))
	for name, values := range header {
		separator := ", "
		if name == "Cookie" {
			separator = "; "
		}
		one[name] = []string{strings.Join(values, separator)}
	}
	return one
}

// isContentHeader reports whether .NET takes a header for one of the content. A request with one has
// content to it, if only an empty one, and is repeated less often.
func isContentHeader(name string) bool {
	switch name {
	case "Allow", "Expires", "Last-Modified", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Length", "Content-Location", "Content-Md5", "Content-Range", "Content-Type":
		return true
	}
	return false
}

// method is the request's, in capitals where .NET knows it.
func (in invocation) method(r *http.Request) string {
	switch m := strings.ToUpper(r.Method); m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return m
	}
	return r.Method
}

// reach sends a request until a response's head is there: ten times, with pauses that double from 50
// to 250 ms (RetryProxyHandler.cs), and by .NET's own rule four times each while there is no content
// and the connection ends without an answer. Once some of a body was read the request is not sent
// again, but the pauses are made all the same.
func (h *Host) reach(ctx context.Context, in invocation, x *exchange) (*http.Response, error) {
	const own = 4
	delay := h.pace.retry
	var err error
	for attempt := 1; ; attempt++ {
		for try := 1; !x.spent && (try == 1 || try <= own && !x.content && errors.Is(err, errUnanswered)); try++ {
			var resp *http.Response
			if resp, err = h.client.send(ctx, x); err == nil {
				return resp, nil
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if attempt >= h.pace.attempts {
			return nil, err
		}
		if err := pause(ctx, delay); err != nil {
			return nil, err
		}
		delay = min(2*delay, h.pace.retryMax)
		if st, _ := h.current(); st.phase != stopped {
			x.address = st.life.address() // a restart of the host moves the handler
		}
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
