package session

import (
	"errors"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Bounds of what a session holds for its clients.
const (
	maxBacklog = 256     // events that a connected reader may be behind before the process has to wait
	logEvents  = 1024    // events kept for readers that may come back
	logBytes   = 4 << 20 // bytes of them; the newest event is kept whatever its size
)

var (
	// ErrGap says that events after the given one are no longer kept.
	ErrGap = errors.New("the events after this id are no longer kept")
	// ErrEventID says that an id is none that this session gave out.
	ErrEventID = errors.New("no such event id in this session")
	// ErrElsewhere says that an event id is of another life of the session.
	ErrElsewhere = errors.New("its stream is on another instance, or of an earlier process")
)

// A Stream is what goes to one HTTP request, in order: the answers to a POST and what belongs to
// them, or, as the standalone stream, what belongs to no request.
//
// All its fields are guarded by the session's mu.
type Stream struct {
	s       *Session
	number  int
	events  []*message.Message // those still held
	first   int                // sequence number of events[0]; they begin at 1
	sent    int                // the last that a reader has taken
	slips   int                // requests that wait for their answer here
	ended   bool               // nothing comes after events
	keep    bool               // clients know event ids, so events outlive their sending
	request string             // id of the only request whose answer comes here; empty if there are several
	suffix  string             // of event ids; empty until there is one
	plain   bool               // the client takes nothing but the answer
	shared  *eventlog.Stream   // where other instances read it; nil for nowhere
	reader  *Reader
	parked  []*Reader     // standalone only: older connections
	room    chan struct{} // signals that a reader took something; capacity 1; nil while nobody waits for that
	one     [1]*message.Message
}

// A post is what a POST with one request needs, made at once: it is most of what a call allocates here.
type post struct {
	stream Stream
	reader Reader
	slip   slip
	slips  [1]*slip
}

// newPost returns a post whose stream is of s.
func newPost(s *Session) *post {
	p := new(post)
	p.stream.s, p.stream.first = s, 1
	p.stream.events = p.stream.one[:0] // most have one: the answer
	return p
}

// taken says that the reader took something, or that there is none any more. mu is held.
func (st *Stream) taken() {
	select {
	case st.room <- struct{}{}: // never while it is nil
	default:
	}
}

// next is the sequence number that the next event gets.
func (st *Stream) next() int { return st.first + len(st.events) }

// open reports whether messages can still reach a client by this stream.
func (st *Stream) open() bool {
	return !st.ended && st.slips > 0 && !st.plain && (st.reader != nil || st.keep)
}

// push adds m, which it takes over. mu is held. What nobody can ever read is freed.
func (st *Stream) push(m *message.Message) {
	if st.reader == nil && !st.keep {
		m.Free()
		return
	}
	st.events = append(st.events, m)
	if st.keep {
		st.s.events.add(st, m.Len())
	}
	if st.shared != nil {
		st.write(st.next() - 1)
	}
	st.reader.wake()
}

// end says that nothing more comes. mu is held.
func (st *Stream) end() {
	if st.shared != nil && !st.ended {
		st.shared.End()
	}
	st.ended = true
	st.reader.wake()
	for _, r := range st.parked {
		r.wake()
	}
}

// drop forgets the oldest event. mu is held.
func (st *Stream) drop() {
	st.events[0].Free()
	st.events[0] = nil
	st.events = st.events[1:]
	st.first++
}

// behind reports whether the reader has so much to read that the process should wait. mu is held.
func (st *Stream) behind() bool {
	return st.reader != nil && !st.ended && st.next()-1-st.sent > maxBacklog
}

// A Reader is one HTTP request reading a Stream. Its methods are called by that request alone.
type Reader struct {
	st    *Stream
	at    int           // the next to take; guarded by mu
	cut   bool          // another reader has taken over, or this one was too slow; guarded by mu
	ready chan struct{} // capacity 1
}

func (st *Stream) newReader(at int) *Reader {
	return new(Reader).of(st, at)
}

// of makes r, which is new, a reader of st that begins with the event at.
func (r *Reader) of(st *Stream, at int) *Reader {
	r.st, r.at, r.ready = st, at, make(chan struct{}, 1)
	return r
}

func (r *Reader) wake() {
	if r == nil {
		return
	}
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// Ready signals that Take may have something new to say.
func (r *Reader) Ready() <-chan struct{} { return r.ready }

// State is what Take found.
type State int

// The states.
const (
	Waiting State = iota // nothing yet
	Taken                // an event
	Ended                // nothing, and nothing will come
	Cut                  // this reader gets no more; the stream may go on elsewhere
)

// An Event is one message for a client. The reader frees it.
type Event struct {
	*message.Message
	Last bool // the stream has ended with it

	// Its EventID in parts, which are put together where it is written; number is 0, and there is no
	// id, unless Keep was called.
	stream, number int
	suffix         string
}

// HasID reports whether the event has an id, which clients may resume from.
func (e Event) HasID() bool { return e.number > 0 }

// AppendID appends the event's id to b.
func (e Event) AppendID(b []byte) []byte {
	b = append(strconv.AppendInt(b, int64(e.stream), 10), '-')
	return append(strconv.AppendInt(b, int64(e.number), 10), e.suffix...)
}

// Take returns the next event, if there is one. It does not wait.
func (r *Reader) Take() (Event, State) {
	st, s := r.st, r.st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.cut, r.at < st.first:
		return Event{}, Cut
	case r != st.reader:
		if st.ended {
			return Event{}, Ended
		}
		return Event{}, Waiting // parked
	case r.at == st.next() && st.ended:
		return Event{}, Ended
	case r.at == st.next():
		return Event{}, Waiting
	}
	var e Event
	m := st.events[r.at-st.first]
	if st.keep {
		e = st.event(r.at)
		m.Retain()
	} else {
		st.events[0] = nil
		st.events = st.events[1:]
		st.first++
	}
	e.Message, e.Last = m, st.ended && r.at == st.next()-1
	st.sent = max(st.sent, r.at)
	r.at++
	st.taken()
	return e, Taken
}

// Keep makes the events of the stream outlive their sending, because the client is about to learn
// their ids. What the reader has taken so far, it gives back, to take it again with its id. Keep
// returns the id that comes before the first event.
func (r *Reader) Keep(taken []Event) string {
	st, s := r.st, r.st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.keep {
		st.share(r.at - 1)
		return st.eventID(r.at - 1)
	}
	st.keep = true
	s.streams[st.number] = st
	held := st.events
	st.events = make([]*message.Message, 0, len(taken)+len(held))
	for _, e := range taken {
		st.events = append(st.events, e.Message)
	}
	st.events = append(st.events, held...)
	st.first -= len(taken)
	st.sent -= len(taken)
	r.at -= len(taken)
	for _, m := range st.events {
		s.events.add(st, m.Len())
	}
	st.share(st.first - 1)
	return st.eventID(r.at - 1)
}

// Leave says that the HTTP request is over. The stream goes on without a reader.
func (r *Reader) Leave() {
	st, s := r.st, r.st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range st.parked {
		if p == r {
			st.parked = append(st.parked[:i], st.parked[i+1:]...)
			return
		}
	}
	if st.reader != r {
		return
	}
	st.reader = nil
	if n := len(st.parked); n > 0 {
		st.reader, st.parked = st.parked[n-1], st.parked[:n-1]
		st.reader.at = st.sent + 1
		st.reader.wake()
	}
	if st.reader == nil && !st.keep {
		for len(st.events) > 0 {
			st.drop()
		}
	}
	st.taken() // a process that waits for this reader waits no longer
}

// event returns an event with the id of this sequence number. mu is held.
func (st *Stream) event(seq int) Event {
	if st.suffix == "" {
		st.suffix = EventID{Life: st.s.life, Request: st.request}.suffix()
	}
	return Event{stream: st.number, number: seq, suffix: st.suffix}
}

// eventID is the EventID of the event with this sequence number, as text.
func (st *Stream) eventID(seq int) string {
	return string(st.event(seq).AppendID(nil))
}

// Listen returns a reader of the standalone stream, beginning with what has reached nobody yet.
// The newest listener is served; older ones wait until it leaves.
func (s *Session) Listen() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.standalone
	if st.reader != nil {
		st.parked = append(st.parked, st.reader)
	}
	st.reader = st.newReader(max(st.sent+1, st.first))
	st.reader.wake()
	return st.reader
}

// Resume returns a reader of the stream that gave out this event id, beginning with the event after
// it. A reader that the stream had is cut off: the client has lost it. It fails with ErrEventID,
// ErrGap or ErrElsewhere.
func (s *Session) Resume(e EventID) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Life != s.life {
		return nil, ErrElsewhere
	}
	st, seq := s.streams[e.Stream], e.Sequence
	switch {
	case e.Stream > s.lastStream:
		return nil, ErrEventID
	case st == nil:
		return nil, ErrGap
	case seq >= st.next():
		return nil, ErrEventID
	case seq+1 < st.first:
		return nil, ErrGap
	}
	if st.reader != nil {
		st.reader.cut = true
		st.reader.wake()
	}
	st.reader = st.newReader(seq + 1)
	st.reader.wake()
	return st.reader, nil
}

// eventLog bounds what the streams of a session hold together. It remembers in which order they
// got their events; the oldest that may go goes first. Its methods are called with mu held.
type eventLog struct {
	order []logged
	bytes int
}

type logged struct {
	st   *Stream
	size int
}

func (l *eventLog) add(st *Stream, size int) {
	l.order = append(l.order, logged{st, size})
	l.bytes += size
	for i := 0; i < len(l.order)-1 && (len(l.order) > logEvents || l.bytes > logBytes); {
		// The entry stands for the oldest event of its stream unless earlier entries do.
		oldest := l.order[i].st
		if oldest.reader != nil && oldest.sent < oldest.first {
			i++ // a reader is about to take it
			continue
		}
		oldest.drop()
		if oldest.ended && len(oldest.events) == 0 {
			delete(oldest.s.streams, oldest.number)
		}
		if oldest.shared != nil && oldest != st { // what st gets says it, too
			oldest.unshare()
		}
		l.bytes -= l.order[i].size
		if i == 0 {
			l.order = l.order[1:]
		} else {
			l.order = append(l.order[:i], l.order[i+1:]...)
		}
	}
}
