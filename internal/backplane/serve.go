package backplane

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// A servedKey identifies a call of another instance.
type servedKey struct {
	from string
	call uint64
}

// served is a call of another instance that this one answers.
type served struct {
	i      *Instance
	key    servedKey
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   *inlet
	answer *valve
}

var errGone = errors.New("the client has disconnected")

// takeRequest starts to answer a call, in a goroutine that Close waits for.
func (i *Instance) takeRequest(from string, e *entry) {
	h, ok := parseRequestHead(e.head)
	target, err := url.ParseRequestURI(h.target)
	if !ok || err != nil || !i.owns(h) {
		i.refuse(from, e)
		return
	}
	s := &served{i: i, key: servedKey{from, e.call}, body: newInlet(), answer: newValve()}
	s.ctx, s.cancel = context.WithCancelCause(i.ctx)
	if i.deposit(s.body, &entry{data: e.data, end: e.end}) != nil || !i.admit(s) {
		s.cancel(errClosed)
		i.count(-s.body.close())
		i.refuse(from, e)
		return
	}
	i.answered.Add(1)
	go func() {
		defer i.serving.Done()
		defer i.dismiss(s)
		s.run(h, target)
	}()
}

// refuse answers a request of which nothing was done.
func (i *Instance) refuse(from string, e *entry) {
	i.post(from, &entry{kind: kindRefusal, call: e.call})
}

// admit registers s, unless there are too many calls or the app shuts down. dismiss must follow.
func (i *Instance) admit(s *served) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || len(i.served) >= maxCalls || i.served[s.key] != nil {
		return false
	}
	i.served[s.key] = s
	i.serving.Add(1)
	return true
}

func (i *Instance) dismiss(s *served) {
	s.cancel(nil)
	left := s.body.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.served, s.key)
	i.unread -= left
}

// take takes an entry that follows the request.
func (s *served) take(e *entry) {
	switch e.kind {
	case kindCredit:
		s.answer.open(e.more)
	case kindCancel:
		s.cancel(errGone)
	default:
		if err := s.i.deposit(s.body, e); err != nil {
			s.cancel(err)
		}
	}
}

// run lets serve answer the call. A panic of serve is sent as the end of the answer, and goes on.
func (s *served) run(h *requestHead, target *url.URL) {
	w := &answerWriter{s: s, header: http.Header{}}
	defer func() {
		if reason := recover(); reason != nil || s.ctx.Err() != nil {
			s.i.post(s.key.from, &entry{kind: kindRefusal, call: s.key.call, part: w.part, end: true})
			if reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // never wrapped
				panic(reason)
			}
			return
		}
		w.end()
	}()
	r := (&http.Request{
		Method: h.method, URL: target, RequestURI: h.target, Host: h.host, RemoteAddr: h.remote, Header: h.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: h.length, Body: http.NoBody,
	}).WithContext(s.ctx)
	if h.length != 0 {
		r.Body = io.NopCloser(&bodyReader{s: s})
	}
	s.i.serve(w, r, Passed{h.principal, h.client})
}

// A bodyReader reads the body of a call as it arrives.
type bodyReader struct {
	s        *served
	rest     []byte
	end      bool
	consumed int
}

func (b *bodyReader) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.end {
			return 0, io.EOF
		}
		e, err := b.s.body.next(b.s.ctx)
		if err != nil {
			return 0, err
		}
		b.rest, b.end = e.data, e.end
		b.s.i.count(-len(e.data))
		if b.consumed += len(e.data); b.consumed >= window/2 && !b.end {
			b.s.i.post(b.s.key.from, &entry{kind: kindReceived, call: b.s.key.call, more: b.consumed})
			b.consumed = 0
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// An answerWriter sends an answer in pieces: when it is flushed, and when a piece is full.
type answerWriter struct {
	s      *served
	header http.Header
	status int
	buf    bytes.Buffer
	part   int
	err    error
}

func (w *answerWriter) Header() http.Header { return w.header }

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *answerWriter) Write(p []byte) (n int, err error) {
	w.WriteHeader(http.StatusOK)
	for n < len(p) && w.err == nil {
		if w.buf.Len() >= pieceSize {
			w.send(false)
			continue
		}
		some := min(len(p)-n, pieceSize-w.buf.Len())
		w.buf.Write(p[n : n+some])
		n += some
	}
	return n, w.err
}

// FlushError is what http.ResponseController asks for.
func (w *answerWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.part == 0 || w.buf.Len() > 0 {
		w.send(false)
	}
	return w.err
}

// Flush is for middleware that asks for an http.Flusher.
func (w *answerWriter) Flush() { _ = w.FlushError() }

func (w *answerWriter) end() {
	w.WriteHeader(http.StatusOK)
	w.send(true)
	if w.err != nil {
		w.s.i.post(w.s.key.from, &entry{kind: kindRefusal, call: w.s.key.call, part: w.part, end: true})
	}
}

// send sends what was written when the other instance has room for it. end means that nothing follows.
func (w *answerWriter) send(end bool) {
	if w.err != nil {
		return
	}
	s := w.s
	if w.err = s.answer.pass(s.ctx, w.buf.Len()); w.err != nil {
		return
	}
	if w.err = s.i.awaitRoom(s.ctx); w.err != nil {
		return
	}
	e := &entry{kind: kindData, call: s.key.call, part: w.part, end: end, data: bytes.Clone(w.buf.Bytes())}
	if w.part == 0 {
		e.kind, e.head = kindHead, answerHead(w.status, w.header)
	}
	w.buf.Reset()
	w.part++
	s.i.post(s.key.from, e)
}
