package stream

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A Remote is a stream of another life of what its Set is of: on another instance, or of an earlier
// process.
type Remote struct {
	Events   *eventlog.Log
	Name     eventlog.Name           // except for life and stream, which ID says
	ID       EventID                 // after which the client goes on
	Protocol string                  // version of the protocol that the client speaks
	Lost     func() *message.Message // the answer to the request that waits there, when it is lost; it may be nil
}

// A Follower reads a Remote. It is for one goroutine.
//
// Of the stream of a POST it brings all that is still to come. When that is lost on the way, it brings
// the answer that Lost is, if there is one. Of the standalone stream it brings what is there: what is
// yet to come there concerns another process than the one that will serve the client.
type Follower struct {
	remote Remote
	cancel context.CancelFunc
	events chan Event    // closed when there are no more
	ready  chan struct{} // capacity 1
	whole  bool          // the stream has ended and nothing of it was lost; set before events is closed
}

// Follow returns a reader of r, beginning with the event after r.ID, for as long as app lives: when that
// ends, the client goes on at another instance. Leave must follow. It fails with ErrElsewhere if the
// instances do not share the stream, or it is not kept any more.
func Follow(ctx, app context.Context, r Remote, log *slog.Logger) (*Follower, error) {
	if r.Events == nil {
		return nil, ErrElsewhere
	}
	e, name := r.ID, r.Name
	name.Life, name.Stream = e.Life, e.Stream
	log = log.With("server", name.Holder.Server, "stream", e.Stream, "life", e.Life)
	from, err := r.Events.Follow(ctx, name, e.Sequence)
	if err != nil {
		if !errors.Is(err, eventlog.ErrLost) && ctx.Err() == nil {
			log.Warn("cannot read the events of a stream that a client resumes", "error", err)
		}
		return nil, ErrElsewhere
	}
	log.Info("client resumes a stream of another instance or process")
	f := &Follower{remote: r, events: make(chan Event, 1), ready: make(chan struct{}, 1)}
	ctx, f.cancel = context.WithCancel(ctx)
	stop := context.AfterFunc(app, f.cancel)
	read := from.Wait
	if e.Stream == 0 {
		read = from.Read
	}
	go func() {
		err := f.read(ctx, read)
		f.whole = errors.Is(err, io.EOF)
		if !f.whole && err != nil && ctx.Err() == nil {
			log.Info("rest of a resumed stream lost", "why", err)
		}
		stop()
		close(f.events)
		rouse(f.ready)
	}()
	return f, nil
}

// read passes on what read returns, until that is nothing or an error.
func (f *Follower) read(ctx context.Context, read func(context.Context) ([]eventlog.Event, error)) error {
	suffix := f.remote.ID.suffix()
	for {
		events, err := read(ctx)
		for i, e := range events {
			if !f.pass(ctx, Event{Message: e.Message, Last: e.Last, stream: f.remote.ID.Stream, number: e.Number, suffix: suffix}) {
				for _, e := range events[i+1:] {
					e.Free()
				}
				return ctx.Err()
			}
		}
		if errors.Is(err, eventlog.ErrLost) {
			if answer := f.remote.Lost(); answer != nil {
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
		rouse(f.ready)
		return true
	case <-ctx.Done():
		e.Free()
		return false
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

// Protocol is the protocol version that the client speaks.
func (f *Follower) Protocol() string { return f.remote.Protocol }

// Leave says that the HTTP request is over.
func (f *Follower) Leave() {
	f.cancel()
	for e := range f.events { // until nobody sends any more
		e.Free()
	}
}
