package stream

import (
	"io"
	"slices"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A Reader is one HTTP request reading a Stream. Its methods are called by that request alone.
type Reader struct {
	st    *Stream
	at    int           // the next to take; guarded by the Set's mu
	room  *chunk        // for the event that was taken last, if it is kept; nil without
	cut   bool          // another reader has taken over, or this one was too slow; guarded by the Set's mu
	ready chan struct{} // capacity 1
}

func newReader(st *Stream, at int) *Reader {
	return &Reader{st: st, at: at, ready: make(chan struct{}, 1)}
}

func (r *Reader) wake() {
	if r != nil {
		rouse(r.ready)
	}
}

// rouse signals on c, which has a capacity of 1, or is nil without a listener.
func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
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

// An Event is one message for a client. The reader frees it: after Keep, before it takes the next.
type Event struct {
	Message *message.Message // may be nil once Keep was called
	Last    bool             // the stream has ended with it
	small   []byte           // the bytes without a Message

	// Its EventID in parts, which are put together where it is written; number is 0, and there is no
	// id, unless Keep was called.
	stream, number int
	suffix         string
}

// Len is the number of the event's bytes.
func (e Event) Len() int {
	if e.Message == nil {
		return len(e.small)
	}
	return e.Message.Len()
}

// WriteTo writes the event's bytes to w.
func (e Event) WriteTo(w io.Writer) (int64, error) {
	if e.Message == nil {
		n, err := w.Write(e.small)
		return int64(n), err
	}
	return e.Message.WriteTo(w)
}

// Free says that the event is not needed any more.
func (e Event) Free() {
	if e.Message != nil {
		e.Message.Free()
	}
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
	st, s := r.st, r.st.set
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
	case r.at == st.nextLocked() && st.ended:
		return Event{}, Ended
	case r.at == st.nextLocked():
		return Event{}, Waiting
	}
	var e Event
	if st.kept != nil {
		e = st.eventLocked(r.at)
		if e.small, e.Message = st.kept.event(r.at, st.first); e.Message != nil {
			e.Message.Retain()
		} else {
			e.small = r.copy(e.small) // it may be dropped before it is written
		}
	} else {
		e.Message, st.unsent[0] = st.unsent[0], nil
		st.unsent = st.unsent[1:]
		st.first++
	}
	e.Last = st.ended && r.at == st.nextLocked()-1
	st.sent = max(st.sent, r.at)
	r.at++
	rouse(st.drained)
	return e, Taken
}

func (r *Reader) copy(small []byte) []byte {
	if r.room == nil {
		r.room = chunks.Get().(*chunk)
	}
	return append(r.room.events[:0], small...)
}

// Keep makes the events of the stream outlive their sending, because the client is about to learn
// their ids. What the reader has taken so far, it gives back, to take it again with its id. Keep
// returns the id that comes before the first event.
func (r *Reader) Keep(taken []Event) string {
	st, s := r.st, r.st.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.kept != nil {
		st.shareLocked(r.at - 1)
		return st.eventIDLocked(r.at - 1)
	}
	held := st.unsent
	st.kept, st.unsent = new(kept), nil
	s.streams[st.number] = st
	st.first -= len(taken)
	st.sent -= len(taken)
	r.at -= len(taken)
	for _, e := range taken {
		st.keepLocked(e.Message)
	}
	for _, m := range held {
		st.keepLocked(m)
	}
	st.shareLocked(st.first - 1)
	return st.eventIDLocked(r.at - 1)
}

// Leave says that the HTTP request is over. The stream goes on without a reader.
func (r *Reader) Leave() {
	if r.room != nil {
		r.room.free()
		r.room = nil
	}
	st, s := r.st, r.st.set
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked = slices.DeleteFunc(s.parked, func(other *Reader) bool { return other == r })
	if st.reader != r {
		return
	}
	if r == &st.opener {
		s.recycleLocked(r)
	}
	s.succeedLocked(st)
	rouse(st.drained) // who waits for this reader in Hold waits no longer
}
