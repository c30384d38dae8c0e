package watch

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// Bounds of what a Recorder tells.
const (
	BodyBytes  = 4 << 10 // of a message; the rest is counted
	NameBytes  = 128     // of an id, a method, a name that a peer gave
	LineBytes  = 2 << 10 // of stderr
	maxPending = 1024    // requests of a session that are timed
)

// A Recorder hears what happens in one session. The nil Recorder hears nothing. Its methods may be
// called from any goroutine. They keep no message that they are given.
type Recorder struct {
	secrets *secret.Redactor
	wire    *slog.Logger // nil for none
	sink    SessionSink  // nil for none

	mu      sync.Mutex // held while sink hears a message, so that it hears them in order
	pending map[key]pending
	waiting int // of pending, those of the client
}

// A key names a request in flight: both sides may use the same ids.
type key struct {
	from string
	id   string // message.Key
}

type pending struct {
	method string
	at     time.Time
}

// The sides.
const (
	FromClient = "client"
	FromServer = "server"
)

// A Message is what is told of a message.
type Message struct {
	Number uint64    `json:"number"` // for a SessionSink to give
	At     time.Time `json:"at"`
	From   string    `json:"from"` // FromClient, FromServer, or another name that a SessionSink gives
	Kind   string    `json:"kind"` // "request", "notification", "response", "error", ...
	Method string    `json:"method,omitempty"`
	ID     string    `json:"id,omitempty"` // JSON
	Size   int       `json:"size"`         // bytes of the whole message
	Body   string    `json:"body"`         // without secrets
	Cut    int       `json:"cut,omitempty"`
	Took   float64   `json:"took_ms,omitempty"` // of an answer: milliseconds since its request
}

// Sent hears a message that is about to be written to the process.
func (r *Recorder) Sent(m *message.Message) {
	if r != nil {
		r.record(FromClient, m)
	}
}

// Received hears a message of the process.
func (r *Recorder) Received(m *message.Message) {
	if r != nil {
		r.record(FromServer, m)
	}
}

// Started hears that a process runs; pid is 0 if it has no number.
func (r *Recorder) Started(pid int) {
	if r != nil && r.sink != nil {
		r.sink.Started(pid)
	}
}

// Exited hears that the process is gone, and how it ended.
func (r *Recorder) Exited(how string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	clear(r.pending) // nobody answers them any more
	r.waiting = 0
	r.mu.Unlock()
	if r.sink != nil {
		r.sink.Exited(r.secrets.Redact(how))
	}
}

// Ended hears why the session has ended, or that the process accepts no more calls.
func (r *Recorder) Ended(why string) {
	if r != nil && r.sink != nil {
		r.sink.Ended(r.secrets.Redact(why))
	}
}

// Stderr hears a line of the process, from which secrets have been taken already.
func (r *Recorder) Stderr(line string) {
	if r != nil && r.sink != nil {
		r.sink.Stderr(cut(line, LineBytes))
	}
}

func (r *Recorder) record(from string, m *message.Message) {
	e := m.Envelope()
	rec := Message{
		At: time.Now(), From: from, Kind: e.Kind().String(), Size: m.Len(),
		Method: Clean(r.secrets, e.Method()), ID: Clean(r.secrets, string(e.ID())),
	}
	if e.Kind() == message.Response && e.IsError() {
		rec.Kind = "error"
	}
	rec.Body, rec.Cut = r.body(m)
	r.settle(&rec, e, m)
	if r.wire != nil {
		r.wire.Debug("wire", "from", from, "kind", rec.Kind, "method", rec.Method, "id", rec.ID,
			"bytes", rec.Size, "took_ms", rec.Took, "cut", rec.Cut, "body", rec.Body)
	}
}

// settle completes rec by the request that it answers, if it answers one, and tells the sink.
func (r *Recorder) settle(rec *Message, e *message.Envelope, m *message.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch asked := (key{rec.From, message.Key(e.ID())}); e.Kind() {
	case message.Request:
		if len(r.pending) < maxPending {
			r.forget(asked)
			r.pending[asked] = pending{rec.Method, rec.At}
			if asked.from == FromClient {
				r.waiting++
			}
		}
	case message.Response:
		asked.from = FromClient
		if rec.From == FromClient {
			asked.from = FromServer
		}
		if p, ok := r.forget(asked); ok {
			rec.Took = float64(rec.At.Sub(p.at).Microseconds()) / 1000
			rec.Method = p.method
		}
	}
	if r.sink != nil {
		r.sink.Message(*rec, m, r.waiting)
	}
}

// forget takes out a request, if it is there. mu is held.
func (r *Recorder) forget(asked key) (p pending, ok bool) {
	if p, ok = r.pending[asked]; ok {
		delete(r.pending, asked)
		if asked.from == FromClient {
			r.waiting--
		}
	}
	return p, ok
}

// body returns the beginning of a message without its secrets, and how many bytes that leaves out.
func (r *Recorder) body(m *message.Message) (text string, left int) {
	head := m.Head(BodyBytes)
	text = strings.ToValidUTF8(string(head), "\uFFFD")
	if len(head) == m.Len() {
		return r.secrets.Redact(text), 0
	}
	text = r.secrets.RedactCut(text)
	return text, max(1, m.Len()-len(text))
}

// Clean is a name that a peer gave, without secrets, and short.
func Clean(secrets *secret.Redactor, text string) string {
	return cut(secrets.Redact(strings.ToValidUTF8(text, "\uFFFD")), NameBytes)
}

// cut returns at most n bytes of text, whole characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
