package streamhttp

import (
	"bufio"
	"net/http"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// retryAfter is what a client waits before it takes up a broken stream, in milliseconds as SSE has
// it (HTML, server-sent events, "retry").
const retryAfter = "1000"

// begin writes the head of an SSE answer. The Functions host holds it back until the first byte of
// the body, so that something must follow at once. Once it is written, begin does nothing.
func (q *request) begin() {
	if q.begun {
		return
	}
	q.begun = true
	h := q.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no") // proxies that buffer would keep events back
	q.w.WriteHeader(http.StatusOK)
}

// stream gives what reader brings, until the stream ends, the client goes away or the stream has
// been open for MaxStream: then it returns errGone, and the events are kept for a client that comes
// back. taken are events that have been taken already and not been given.
func (q *request) stream(s *session.Session, reader *stream.Reader, taken []stream.Event) error {
	before := reader.Keep(taken)
	return q.give(reader, before, s.Protocol())
}

// give is stream for any source. before is the id of the event before the first, protocol the version
// that the client speaks.
func (q *request) give(reader source, before, protocol string) error {
	out := newEvents(q)
	defer out.free()
	if protocol >= primed {
		out.prime(before)
	} else {
		out.comment("ok")
	}
	if !out.follow(reader, q.r.Context().Done(), q.streamLimit(q.MaxStream), q.Keepalive) {
		return errGone
	}
	return nil
}

// follow writes what reader brings until its stream has ended, and flushes whenever there is nothing
// more to write. It reports false if it stopped before: because the client is gone or too slow, or
// because of limit, for it is time to make it come back.
func (o *events) follow(reader source, gone <-chan struct{}, limit, every time.Duration) bool {
	enough := time.NewTimer(limit)
	defer enough.Stop()
	keepalive := time.NewTimer(every)
	defer keepalive.Stop()
	for {
		e, state := reader.Take()
		switch state {
		case stream.Taken:
			o.event(e)
			e.Free()
			if e.Last {
				return o.write() == nil
			}
			continue
		case stream.Ended:
			return o.write() == nil
		case stream.Cut:
			o.flush()
			return false
		}
		if o.flush() != nil {
			return false
		}
		keepalive.Reset(every)
		select {
		case <-reader.Ready():
		case <-keepalive.C:
			o.comment("keep-alive")
		case <-enough.C:
			return false
		case <-gone:
			return false
		}
	}
}

// events writes server-sent events. It is flushed when there is nothing more to write.
type events struct {
	client http.ResponseWriter
	rc     *http.ResponseController
	w      *bufio.Writer // what is not flushed; nil if nothing is
	id     []byte        // room for an event's id
}

// eventBuffer lets many small events go in one write; large ones pass it by.
const eventBuffer = 32 << 10

// eventWriters spares every stream a buffer of its own.
var eventWriters = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, eventBuffer) }}

// newEvents returns events that are written to the client of q. free must follow.
func newEvents(q *request) *events {
	return &events{client: q.w, rc: http.NewResponseController(q.w)}
}

// buffer is where the next event is written. A stream that waits has none.
func (o *events) buffer() *bufio.Writer {
	if o.w == nil {
		o.w = eventWriters.Get().(*bufio.Writer)
		o.w.Reset(o.client)
	}
	return o.w
}

// free gives the memory back. What was not flushed is lost.
func (o *events) free() {
	if o.w != nil {
		o.w.Reset(nil)
		eventWriters.Put(o.w)
		o.w = nil
	}
}

// write passes on what has been written, to be sent with the end of the answer. An error is that the client is gone.
func (o *events) write() error {
	if o.w == nil {
		return nil
	}
	err := o.w.Flush()
	o.free()
	return err
}

// flush sends what has been written. An error is that the client is gone.
func (o *events) flush() error {
	if err := o.write(); err != nil {
		return err
	}
	return o.rc.Flush()
}

// prime writes an event without data, so that the client has an id to resume from before anything
// has happened (MCP 2025-11-25, transports, "Sending Messages to the Server").
func (o *events) prime(id string) {
	o.buffer().WriteString("id: " + id + "\nretry: " + retryAfter + "\ndata: \n\n")
}

// comment writes what clients ignore.
func (o *events) comment(text string) {
	o.buffer().WriteString(": " + text + "\n\n")
}

// tell gives one message, which it takes over, on a stream that has begun, and no more.
func (q *request) tell(m *message.Message) {
	defer m.Free()
	out := newEvents(q)
	defer out.free()
	out.event(stream.Event{Message: m})
	out.flush() // an error is that the client is gone
}

// event writes one message. It fits on one line, since a Message has no line breaks.
func (o *events) event(e stream.Event) {
	w := o.buffer()
	w.WriteString("event: message\n")
	if e.HasID() {
		o.id = e.AppendID(append(o.id[:0], "id: "...))
		w.Write(append(o.id, '\n'))
	}
	w.WriteString("data: ")
	if e.Len() >= eventBuffer {
		w.Flush() // or its beginning would be copied
	}
	e.WriteTo(w)
	w.WriteString("\n\n")
}
