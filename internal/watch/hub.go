package watch

import (
	"log/slog"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// Options says what a Hub does with what it hears.
type Options struct {
	Secrets *secret.Redactor
	Wire    *slog.Logger // gets a debug record per message; nil for none
	Sink    Sink         // nil for none
}

// A Sink takes what a Hub hears, without its secrets. Its methods may be called from any goroutine.
type Sink interface {
	// Open returns where a new session is reported, or a process without sessions.
	Open(server, name string, pool bool) SessionSink
	Close() // the app closes: no one waits for news any more
}

// A SessionSink takes what happens in one session. Its methods must not wait.
type SessionSink interface {
	Started(pid int) // 0: it has no number
	// Message reports a message, after which so many requests of the client have no answer. m is lent.
	Message(about Message, m *message.Message, waiting int)
	Stderr(line string)
	Exited(how string)
	Ended(why string)
}

// A Hub hears of every session of an app. The nil Hub hears nothing. Its methods may be called from
// any goroutine.
type Hub struct{ opts Options }

// New returns a Hub.
func New(o Options) *Hub { return &Hub{opts: o} }

// Open returns the Recorder of a new session, or of a process without sessions, under the name that
// the log has for it. own, which may be nil, knows the secrets of its caller.
func (h *Hub) Open(server, name string, pool bool, own *secret.Redactor) *Recorder {
	if h == nil {
		return nil
	}
	r := &Recorder{secrets: h.opts.Secrets.And(own), pending: map[key]pending{}}
	if h.opts.Wire != nil {
		what := "session" // as everything else of it is logged
		if pool {
			what = "pool"
		}
		r.wire = h.opts.Wire.With("server", server, what, name)
	}
	if h.opts.Sink != nil {
		r.sink = h.opts.Sink.Open(server, name, pool)
	}
	return r
}

// Close says that the app closes.
func (h *Hub) Close() {
	if h != nil && h.opts.Sink != nil {
		h.opts.Sink.Close()
	}
}
