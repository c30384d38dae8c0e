package stream

import (
	"errors"

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
	first   int                // sequence number of the oldest event that is held; they begin at 1
	unsent  []*message.Message // the events that are held, unless kept has them
	kept    *kept              // once clients know event ids, so that events outlive their sending
	sent    int                // the last that a reader has taken
	ended   bool               // nothing comes after those
	request string             // id of the only request whose answer comes here; empty if there are several
	reader  *Reader
	drained chan struct{} // signals that a reader took something; capacity 1; nil while no writer waits for that
	opener  Reader        // the first reader: most have one
	one     [1]*message.Message
}

// nextLocked is the sequence number that the next event gets.
func (st *Stream) nextLocked() int {
	if st.kept != nil {
		return st.first + st.kept.count
	}
	return st.first + len(st.unsent)
}

// emptyLocked reports whether no event is held.
func (st *Stream) emptyLocked() bool { return st.nextLocked() == st.first }

// behindLocked reports whether the reader has so much to read that who pushes should wait.
func (st *Stream) behindLocked() bool {
	return st.reader != nil && !st.ended && st.nextLocked()-1-st.sent > maxBacklog
}

// endLocked says that nothing more comes.
func (st *Stream) endLocked() {
	if k := st.kept; k != nil && k.shared != nil && !st.ended {
		k.shared.End()
	}
	st.ended = true
	st.reader.wake()
}

// keepLocked appends m, which it takes over, to what is kept.
func (st *Stream) keepLocked(m *message.Message) {
	st.kept.add(m)
	st.set.backlog.add(st, m.Len())
	if st.kept.shared != nil {
		st.writeLocked(st.nextLocked()-1, m, st.ended)
	}
	m.Free()
}

// dropLocked forgets the oldest event.
func (st *Stream) dropLocked() {
	st.first++
	if st.kept != nil {
		st.kept.drop()
		return
	}
	st.unsent[0].Free()
	st.unsent[0] = nil
	st.unsent = st.unsent[1:]
}

func (st *Stream) dropAllLocked() {
	for !st.emptyLocked() {
		st.dropLocked()
	}
}

// eventLocked returns an event with the id of this sequence number.
func (st *Stream) eventLocked(seq int) Event {
	k := st.kept
	if k.suffix == "" {
		k.suffix = EventID{Life: st.set.life, Request: st.request}.suffix()
	}
	return Event{stream: st.number, number: seq, suffix: k.suffix}
}

// eventIDLocked is the EventID of the event with this sequence number, as text.
func (st *Stream) eventIDLocked(seq int) string {
	return string(st.eventLocked(seq).AppendID(nil))
}

// shareLocked begins to write the stream, whose client is about to learn ids, from the event after the one
// with this number on, if other instances may read it.
func (st *Stream) shareLocked(number int) {
	s := st.set
	if s.events == nil || st.kept.shared != nil || s.ended {
		return
	}
	number = max(number, st.first-1)
	name := s.name
	name.Life, name.Stream = s.life, st.number
	st.kept.shared = s.events.Open(name, number)
	for n := number + 1; n < st.nextLocked(); n++ {
		small, large := st.kept.event(n, st.first)
		if large == nil {
			large = message.Must(small)
			defer large.Free()
		}
		st.writeLocked(n, large, st.ended && n == st.nextLocked()-1)
	}
}

// writeLocked writes the event with this number. Nothing waits.
func (st *Stream) writeLocked(number int, m *message.Message, last bool) {
	st.kept.shared.Append(number, st.first, m, last)
}

// unshareLocked forgets what is kept no longer.
func (st *Stream) unshareLocked() {
	if st.ended && st.emptyLocked() {
		st.kept.shared.Drop()
		return
	}
	st.kept.shared.Trim(st.first)
}
