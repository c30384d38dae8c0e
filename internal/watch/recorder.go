package watch

import (
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A Recorder hears what happens in one session. The nil Recorder hears nothing. Its methods may be
// called from any goroutine. They keep no message that they are given.
type Recorder struct {
	hub  *Hub
	wire *slog.Logger // nil for none

	// Guarded by hub.mu.
	kept        bool // by the hub
	about       Session
	messages    []Message
	lines       []Line
	bytes       int // of both
	lastMessage uint64
	lastLine    uint64
	pending     map[key]pending
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
	fromClient = "client"
	fromServer = "server"
	fromApp    = "app"
)

// Sent hears a message that is about to be written to the process.
func (r *Recorder) Sent(m *message.Message) {
	if r != nil {
		r.record(fromClient, m)
	}
}

// Received hears a message of the process.
func (r *Recorder) Received(m *message.Message) {
	if r != nil {
		r.record(fromServer, m)
	}
}

// Started hears that a process runs; pid is 0 if it has no number.
func (r *Recorder) Started(pid int) {
	if r == nil {
		return
	}
	r.keep(func() {
		r.about.PID = pid
		r.about.Starts++
		r.event("process started")
	})
}

// Exited hears that the process is gone, and how it ended.
func (r *Recorder) Exited(how string) {
	if r == nil {
		return
	}
	how = r.hub.opts.Redact(how)
	r.keep(func() {
		r.about.PID = 0
		if r.about.Ended == nil {
			r.about.Why = how
		}
		clear(r.pending) // nobody answers them any more
		r.event("process ended: " + how)
	})
}

// Ended hears why the session has ended, or that the process takes no more calls.
func (r *Recorder) Ended(why string) {
	if r == nil {
		return
	}
	why = r.hub.opts.Redact(why)
	r.keep(func() {
		if r.about.Ended != nil {
			return
		}
		at := time.Now()
		r.about.Ended, r.about.Why = &at, why
		r.event("ended: " + why)
	})
}

// Stderr hears a line of the process, from which secrets have been taken already.
func (r *Recorder) Stderr(line string) {
	if r == nil {
		return
	}
	r.keep(func() {
		r.lastLine++
		line, _ = cut(line, lineBytes)
		r.lines = append(r.lines, Line{Number: r.lastLine, At: time.Now(), Text: line})
		r.charge(len(line))
		if len(r.lines) > maxLines {
			r.dropLine()
		}
	})
}

// keep does what is to be kept, under the lock.
func (r *Recorder) keep(do func()) {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if !r.kept {
		return
	}
	do()
	h.shrink()
	h.happened()
}

func (r *Recorder) record(from string, m *message.Message) {
	e := m.Envelope()
	rec := Message{
		At: time.Now(), From: from, Kind: e.Kind().String(), Size: m.Len(),
		Method: r.clean(e.Method(), nameBytes), ID: r.clean(string(e.ID()), nameBytes),
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

// settle completes rec by the request that it answers, if it answers one, and keeps it.
func (r *Recorder) settle(rec *Message, e *message.Envelope, m *message.Message) {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	id := message.Key(e.ID())
	switch e.Kind() {
	case message.Request:
		if rec.From == fromClient {
			r.about.Calls++
		}
		if len(r.pending) < maxPending {
			r.pending[key{rec.From, id}] = pending{rec.Method, rec.At}
		}
	case message.Response:
		asked := key{fromClient, id}
		if rec.From == fromClient {
			asked.from = fromServer
		}
		if p, ok := r.pending[asked]; ok {
			delete(r.pending, asked)
			rec.Took = float64(rec.At.Sub(p.at).Microseconds()) / 1000
			rec.Method = p.method
		}
	}
	if !r.kept {
		return
	}
	r.introduce(rec, e, m)
	r.put(*rec)
	h.shrink()
	h.happened()
}

// body returns the beginning of a message without its secrets, and how many bytes that leaves out.
func (r *Recorder) body(m *message.Message) (text string, left int) {
	head := m.Head(bodyBytes + r.hub.opts.Overhang)
	text = r.hub.opts.Redact(strings.ToValidUTF8(string(head), "\uFFFD"))
	short, _ := cut(text, bodyBytes)
	if len(short) == len(text) && len(head) == m.Len() {
		return short, 0
	}
	return short, max(0, m.Len()-len(short))
}

// clean is a text of a peer without secrets, and short.
func (r *Recorder) clean(text string, limit int) string {
	if text == "" {
		return ""
	}
	text, _ = cut(r.hub.opts.Redact(strings.ToValidUTF8(text, "\uFFFD")), limit)
	return text
}

// cut returns at most n bytes of text, whole characters, and how many bytes that leaves out.
func cut(text string, n int) (short string, left int) {
	if len(text) <= n {
		return text, 0
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n], len(text) - n
}
