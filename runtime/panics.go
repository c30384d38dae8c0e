package mcpfunc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
)

// headeds are those that are not in use: one per request is an allocation.
var headeds = sync.Pool{New: func() any { return new(headed) }}

// A headed response knows whether its head was written.
type headed struct {
	http.ResponseWriter
	conn    *gatherer // that it is written to; nil if it is not known
	written bool
	rest    io.LimitedReader // of the request's body, for takeIn
}

func (h *headed) WriteHeader(status int) {
	h.written = h.written || status >= http.StatusOK
	h.ResponseWriter.WriteHeader(status)
}

func (h *headed) Write(p []byte) (int, error) {
	h.written = true
	if len(p) > heldSize {
		h.conn.hold()
	}
	return h.ResponseWriter.Write(p)
}

// Flush is for middleware that asks for an http.Flusher.
func (h *headed) Flush() { _ = h.FlushError() }

// FlushError is what http.ResponseController asks for.
func (h *headed) FlushError() error {
	h.written = true
	return errors.Join(http.NewResponseController(h.ResponseWriter).Flush(), h.conn.send())
}

// finish sends what waits on the connection, if net/http has nothing to write behind it: the end of the chunks.
func (h *headed) finish(r *http.Request) {
	if h.conn == nil || !h.conn.holds {
		return
	}
	if r.ProtoAtLeast(1, 1) && h.Header().Get("Content-Length") == "" {
		h.conn.last = true
		return
	}
	h.Flush()
}

// Unwrap is for http.ResponseController.
func (h *headed) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// answerPanic turns a panic in a request into an answer of 500, if no answer has begun. The Functions
// host sends a request again whose connection ends without an answer, GET and DELETE up to 40 times; and
// what is begun cannot be taken back, so that there the connection ends. It is deferred.
func (a *App) answerPanic(w *headed, r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if reason != http.ErrAbortHandler { //nolint:errorlint // it is never wrapped
		a.log.Error("request panicked", "path", r.URL.Path, "request", r.Header.Get("X-Azure-Functions-Invocationid"),
			"panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
	}
	if w.written {
		panic(http.ErrAbortHandler)
	}
	refuse(w, http.StatusInternalServerError, "internal_error", "The request failed")
}
