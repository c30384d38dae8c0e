package stream

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

const (
	maxBacklog   = 256              // events that a connected reader may be behind before who pushes has to wait
	stallTimeout = 15 * time.Second // for such a reader to read something
	maxParked    = 64               // older readers of the standalone stream that wait
)

// A Set is streams with numbers of their own and one bound on what they keep together. Its methods may
// be called from any goroutine, and wait for nothing, except for Hold.
type Set struct {
	log  *slog.Logger
	life string // by which event ids of this Set are told from those of another

	mu         sync.Mutex
	standalone Stream
	parked     []*Reader       // of standalone: older connections
	streams    map[int]*Stream // those with ids that clients know
	last       int             // number that was given
	backlog    backlog
	spare      []chan struct{} // of readers that have left
	ended      bool
	events     *eventlog.Log // where other instances read what is kept; nil for nowhere
	name       eventlog.Name // in it, except for the number of the stream
}

// NewSet returns a Set with an empty standalone stream.
func NewSet(log *slog.Logger) *Set {
	s := &Set{log: log, life: newLife()}
	s.standalone.set, s.standalone.first, s.standalone.kept = s, 1, new(kept)
	s.streams = map[int]*Stream{0: &s.standalone}
	return s
}

// Standalone returns the stream of what belongs to no request. It ends with the Set.
func (s *Set) Standalone() *Stream { return &s.standalone }

// Open makes st, which is new, a stream of the Set, and returns its reader. request is the id, as JSON,
// of the only request whose answer comes there; empty if there are several.
func (s *Set) Open(st *Stream, request string) *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	st.set, st.number, st.first, st.request = s, s.last, 1, request
	st.unsent = st.one[:0] // most have one: the answer
	st.opener = Reader{st: st, at: 1, ready: s.readyLocked()}
	st.reader = &st.opener
	return st.reader
}

// maxSpare is how many channels of readers a Set keeps to use them again.
const maxSpare = 4

// readyLocked returns a channel for a reader.
func (s *Set) readyLocked() (ready chan struct{}) {
	n := len(s.spare)
	if n == 0 {
		return make(chan struct{}, 1)
	}
	ready, s.spare = s.spare[n-1], s.spare[:n-1]
	return ready
}

// recycleLocked takes the channel of r, which has left its stream: nobody wakes it any more.
func (s *Set) recycleLocked(r *Reader) {
	if len(s.spare) == maxSpare {
		return
	}
	select {
	case <-r.ready:
	default:
	}
	s.spare = append(s.spare, r.ready)
}

// Push adds m, which it takes over, to a stream of the Set. last says that the stream ends with it.
// What nobody can ever read is freed.
func (s *Set) Push(st *Stream, m *message.Message, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.ended = st.ended || last // before the event, which knows that it is the last
	if st.reader == nil && st.kept == nil {
		m.Free()
		return
	}
	if st.kept != nil {
		st.keepLocked(m)
	} else {
		st.unsent = append(st.unsent, m)
	}
	st.reader.wake()
}

// Finish says that nothing more comes on a stream of the Set.
func (s *Set) Finish(st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.endLocked()
}

// End ends all streams that clients know, and the standalone one. What they hold can be read until
// Release.
func (s *Set) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, st := range s.streams {
		st.endLocked()
	}
	for _, r := range s.parked {
		r.wake()
	}
}

// Release frees what is held for readers.
func (s *Set) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		st.dropAllLocked()
	}
	s.backlog = backlog{}
}

// Reachable reports whether a client reads the stream, or may come back for it.
func (s *Set) Reachable(st *Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !st.ended && (st.reader != nil || st.kept != nil)
}

// Listening reports whether someone reads the standalone stream.
func (s *Set) Listening() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standalone.reader != nil
}

// Hold waits while the reader of st is far behind, so that a process does not fill our memory: it
// blocks on its stdout instead. A reader that does not move at all is cut off, which Hold reports. It
// returns when ctx ends, too.
func (s *Set) Hold(ctx context.Context, st *Stream) (cut bool) {
	for {
		behind, reader, drained := s.backlogOf(st)
		if !behind {
			return cut
		}
		stall := time.NewTimer(stallTimeout)
		select {
		case <-drained:
		case <-ctx.Done():
			stall.Stop()
			return cut
		case <-stall.C:
			if s.cutOff(st, reader) {
				s.log.Warn("client does not read its stream; disconnected", "stream", st.number)
				cut = true
			}
		}
		stall.Stop()
	}
}

// backlogOf reports whether the reader of st has so much to read that who pushes should wait, and what
// signals that it took something.
func (s *Set) backlogOf(st *Stream) (behind bool, reader *Reader, drained <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if behind = st.behindLocked(); behind && st.drained == nil {
		st.drained = make(chan struct{}, 1)
	}
	return behind, st.reader, st.drained
}

// cutOff cuts the reader off if it is still far behind, and reports whether it did.
func (s *Set) cutOff(st *Stream, reader *Reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.reader != reader || !st.behindLocked() {
		return false
	}
	reader.cut = true
	s.succeedLocked(st)
	reader.wake()
	return true
}

// succeedLocked gives a stream, which has lost its reader, to the newest of those that wait for it.
func (s *Set) succeedLocked(st *Stream) {
	st.reader = nil
	if n := len(s.parked); n > 0 && st == &s.standalone {
		st.reader, s.parked = s.parked[n-1], s.parked[:n-1]
		st.reader.at = max(st.sent+1, st.first)
		st.reader.wake()
	}
	if st.reader == nil && st.kept == nil {
		st.dropAllLocked()
	}
}

// Listen returns a reader of the standalone stream, beginning with what has reached nobody yet.
// The newest listener is served; older ones wait until it leaves. One more than may wait cuts off the oldest.
func (s *Set) Listen() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &s.standalone
	if st.reader != nil {
		s.parked = append(s.parked, st.reader)
	}
	if len(s.parked) > maxParked {
		s.parked[0].cut = true
		s.parked[0].wake()
		s.parked = slices.Delete(s.parked, 0, 1)
	}
	st.reader = newReader(st, max(st.sent+1, st.first))
	st.reader.wake()
	return st.reader
}

// Resume returns a reader of the stream that gave out this event id, beginning with the event after
// it. A reader that the stream had is cut off: the client has lost it. It fails with ErrEventID,
// ErrGap or ErrElsewhere.
func (s *Set) Resume(e EventID) (*Reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Life != s.life {
		return nil, ErrElsewhere
	}
	st, seq := s.streams[e.Stream], e.Sequence
	switch {
	case e.Stream > s.last:
		return nil, ErrEventID
	case st == nil:
		return nil, ErrGap
	case seq >= st.nextLocked():
		return nil, ErrEventID
	case seq+1 < st.first:
		return nil, ErrGap
	}
	if st.reader != nil {
		st.reader.cut = true
		st.reader.wake()
	}
	st.reader = newReader(st, seq+1)
	st.reader.wake()
	return st.reader, nil
}

// Share makes streams whose events are kept from now on readable for other instances, in events, by
// this name.
func (s *Set) Share(events *eventlog.Log, name eventlog.Name) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.name = events, name
}
