package session

import (
	"context"
	"errors"
	"io"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
)

// Streams of sessions with sealed ids, where instances share events. What clients can come back for is
// written into a log that any instance reads: of each stream as much as its session keeps of it.

// share begins to write the stream, whose client is about to learn ids, from the event after the one
// with this number on. mu is held.
func (st *Stream) share(number int) {
	s := st.s
	log := s.table.travel.Events
	if log == nil || st.shared != nil || s.known == s.Key || s.why != nil {
		return
	}
	number = max(number, st.first-1)
	st.shared = log.Open(s.logName(EventID{Stream: st.number, Life: s.life}), number)
	for n := number + 1; n < st.next(); n++ {
		st.write(n)
	}
}

// write writes the event with this number. mu is held, and nothing waits.
func (st *Stream) write(number int) {
	st.shared.Append(number, st.first, st.events[number-st.first], st.ended && number == st.next()-1)
}

// unshare forgets what the session keeps no longer. mu is held.
func (st *Stream) unshare() {
	if st.ended && len(st.events) == 0 {
		st.shared.Drop()
		return
	}
	st.shared.Trim(st.first)
}

// logName is what the log of the stream of e is found by. mu is held.
func (s *Session) logName(e EventID) eventlog.Name {
	return eventlog.Name{Holder: s.holder(), Session: s.known.ID, Life: e.Life, Stream: e.Stream}
}

// A Follower reads a stream of another life of its session: on another instance, or of an earlier
// process. It is for one goroutine.
//
// Of the stream of a POST it brings all that is still to come. When that is lost on the way, it brings
// the answer that Elsewhere is, if there is one. Of the standalone stream it brings what is there: what
// is yet to come there concerns another process than the one that will serve the client.
type Follower struct {
	id       EventID
	protocol string
	cancel   context.CancelFunc
	events   chan Event    // closed when there are no more
	ready    chan struct{} // capacity 1
	whole    bool          // the stream has ended and nothing of it was lost; set before events is closed
}

// Follow returns a reader of the stream of e, beginning with the event after it, in this session, whose
// stream it is but in another life. Leave must follow. It fails with ErrElsewhere if the instances do
// not share it, or it is not kept any more.
func (s *Session) Follow(ctx context.Context, e EventID) (*Follower, error) {
	s.mu.Lock()
	name, protocol, sealed := s.logName(e), s.shake.version, s.known != s.Key
	s.mu.Unlock()
	if !sealed {
		return nil, ErrElsewhere
	}
	return s.table.follow(ctx, name, e, protocol)
}

// Follow is Session.Follow for the session that o names, which is not here. It starts nothing, and does
// not ask whether another process may take the session over: the stream goes on where it is. It fails
// as Lost does, too.
func (t *Table) Follow(ctx context.Context, o Opening, e EventID) (*Follower, error) {
	if t.travel.Events == nil {
		return nil, ErrElsewhere
	}
	tk, err := t.ticketOf(o)
	if err != nil || t.past.over(o.ID) {
		return nil, ErrUnknown
	}
	if err := t.revoked(ctx, o); err != nil {
		return nil, err
	}
	name := eventlog.Name{Holder: o.key().holder(), Session: o.ID, Life: e.Life, Stream: e.Stream}
	return t.follow(ctx, name, e, tk.Version)
}

func (t *Table) follow(ctx context.Context, name eventlog.Name, e EventID, protocol string) (*Follower, error) {
	if t.travel.Events == nil {
		return nil, ErrElsewhere
	}
	log := t.log.With("server", name.Holder.Server, "stream", e.Stream, "life", e.Life)
	from, err := t.travel.Events.Follow(ctx, name, e.Sequence)
	if err != nil {
		if !errors.Is(err, eventlog.ErrLost) && ctx.Err() == nil {
			log.Warn("a client comes back for a stream that is not here, and what was written of it cannot be read", "error", err)
		}
		return nil, ErrElsewhere
	}
	log.Info("a client goes on with a stream that is not here")
	f := &Follower{id: e, protocol: protocol, events: make(chan Event, 1), ready: make(chan struct{}, 1)}
	ctx, f.cancel = context.WithCancel(ctx)
	stop := context.AfterFunc(t.ctx, f.cancel) // the app shuts down: the client goes on at another instance
	read := from.Wait
	if e.Stream == 0 {
		read = from.Read
	}
	go func() {
		err := f.read(ctx, read)
		f.whole = errors.Is(err, io.EOF)
		if !f.whole && err != nil && ctx.Err() == nil {
			log.Info("the rest of a stream that is not here is lost", "why", err)
		}
		stop()
		close(f.events)
		f.wake()
	}()
	return f, nil
}

// read passes on what read returns, until that is nothing or an error.
func (f *Follower) read(ctx context.Context, read func(context.Context) ([]eventlog.Event, error)) error {
	suffix := f.id.suffix()
	for {
		events, err := read(ctx)
		for i, e := range events {
			if !f.pass(ctx, Event{Message: e.Message, Last: e.Last, stream: f.id.Stream, number: e.Number, suffix: suffix}) {
				for _, e := range events[i+1:] {
					e.Free()
				}
				return ctx.Err()
			}
		}
		if errors.Is(err, eventlog.ErrLost) {
			if answer := f.id.Elsewhere(); answer != nil {
				f.pass(ctx, Event{Message: answer, Last: true})
			}
		}
		if err != nil || len(events) == 0 {
			return err
		}
	}
}

// pass hands an event to Take. It frees it and reports false if nobody takes it any more.
func (f *Follower) pass(ctx context.Context, e Event) bool {
	select {
	case f.events <- e:
		f.wake()
		return true
	case <-ctx.Done():
		e.Free()
		return false
	}
}

func (f *Follower) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// Ready signals that Take may have something new to say.
func (f *Follower) Ready() <-chan struct{} { return f.ready }

// Take returns the next event, if there is one. It does not wait.
func (f *Follower) Take() (Event, State) {
	select {
	case e, ok := <-f.events:
		if ok {
			return e, Taken
		}
		return Event{}, Ended
	default:
		return Event{}, Waiting
	}
}

// Whole reports, once Take has said Ended, whether the stream has ended and nothing of it was lost.
func (f *Follower) Whole() bool { return f.whole }

// Protocol is the protocol version of the session.
func (f *Follower) Protocol() string { return f.protocol }

// Leave says that the HTTP request is over.
func (f *Follower) Leave() {
	f.cancel()
	for e := range f.events { // until nobody sends any more
		e.Free()
	}
}
