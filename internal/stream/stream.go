package stream

import (
	"errors"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

var (
	// ErrGap says that events after the given one are no longer kept.
	ErrGap = errors.New("the events after this id are no longer kept")
	// ErrEventID says that this session did not give out an id.
	ErrEventID = errors.New("no such event id in this session")
	// ErrElsewhere says that an event id is of another life of the session.
	ErrElsewhere = errors.New("its stream is on another instance, or belonged to an earlier process")
)

// A Stream is what goes to one HTTP request, in order: the answers to a POST and what belongs to
// them, or, as the standalone stream, what belongs to no request. The zero Stream becomes one by
// Set.Open.
//
// All its fields are guarded by the Set's mu.
type Stream struct {
	set     *Set
	number  int
	events  []*message.Message // those still held
	first   int                // sequence number of events[0]; they begin at 1
	sent    int                // the last that a reader has taken
	ended   bool               // nothing comes after events
	keep    bool               // clients know event ids, so events outlive their sending
	request string             // id of the only request whose answer comes here; empty if there are several
	suffix  string             // of event ids; empty until there is one
	shared  *eventlog.Stream   // where other instances read it; nil for nowhere
	reader  *Reader
	drained chan struct{} // signals that a reader took something; capacity 1; nil while no writer waits for that
	opener  Reader        // the first reader: most have one
	one     [1]*message.Message
}

// nextLocked is the sequence number that the next event gets.
func (st *Stream) nextLocked() int { return st.first + len(st.events) }

// behindLocked reports whether the reader has so much to read that who pushes should wait.
func (st *Stream) behindLocked() bool {
	return st.reader != nil && !st.ended && st.nextLocked()-1-st.sent > maxBacklog
}

// endLocked says that nothing more comes.
func (st *Stream) endLocked() {
	if st.shared != nil && !st.ended {
		st.shared.End()
	}
	st.ended = true
	st.reader.wake()
}

// dropLocked forgets the oldest event.
func (st *Stream) dropLocked() {
	st.events[0].Free()
	st.events[0] = nil
	st.events = st.events[1:]
	st.first++
}

func (st *Stream) dropAllLocked() {
	for len(st.events) > 0 {
		st.dropLocked()
	}
}

// eventLocked returns an event with the id of this sequence number.
func (st *Stream) eventLocked(seq int) Event {
	if st.suffix == "" {
		st.suffix = EventID{Life: st.set.life, Request: st.request}.suffix()
	}
	return Event{stream: st.number, number: seq, suffix: st.suffix}
}

// eventIDLocked is the EventID of the event with this sequence number, as text.
func (st *Stream) eventIDLocked(seq int) string {
	return string(st.eventLocked(seq).AppendID(nil))
}

// shareLocked begins to write the stream, whose client is about to learn ids, from the event after the one
// with this number on, if other instances may read it.
func (st *Stream) shareLocked(number int) {
	s := st.set
	if s.events == nil || st.shared != nil || s.ended {
		return
	}
	number = max(number, st.first-1)
	name := s.name
	name.Life, name.Stream = s.life, st.number
	st.shared = s.events.Open(name, number)
	for n := number + 1; n < st.nextLocked(); n++ {
		st.writeLocked(n)
	}
}

// writeLocked writes the event with this number. Nothing waits.
func (st *Stream) writeLocked(number int) {
	st.shared.Append(number, st.first, st.events[number-st.first], st.ended && number == st.nextLocked()-1)
}

// unshareLocked forgets what is kept no longer.
func (st *Stream) unshareLocked() {
	if st.ended && len(st.events) == 0 {
		st.shared.Drop()
		return
	}
	st.shared.Trim(st.first)
}
