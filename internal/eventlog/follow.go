package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// ErrLost says that what came after an event cannot be had: it was not written, is not kept any more, or
// its writer is dead.
var ErrLost = errors.New("the events after this one are lost")

const (
	// A log that is not there may be about to be: its writer told the client an event's id first.
	grace = time.Second

	pageSize  = 32 // entries that are read at a time; a log has no more than its stream holds
	minPoll   = 250 * time.Millisecond
	maxPoll   = time.Second
	readLimit = 5 * time.Second  // of one reading
	patience  = 15 * time.Second // with a Store that does not answer
	recovery  = live + maxPause  // in which a writer is alive again for a Store that did not answer
)

// An Event is one event of a log. Its receiver frees it.
type Event struct {
	*message.Message
	Number int
	Last   bool // nothing comes after it
}

// A Follower reads one log. Its methods are called one at a time.
type Follower struct {
	log    *Log
	key    string
	about  []byte
	writer string
	next   int       // the number of the next event
	heard  time.Time // when the Store answered the last time
	failed time.Time // when it did not; zero for never
	over   bool
}

// Follow returns what reads the log of a stream from the event after the given one. It fails with
// ErrLost if there is no such log, which it waits a second for, if that begins later, or has ended
// before; or with the Store's error.
func (l *Log) Follow(ctx context.Context, n Name, after int) (*Follower, error) {
	f := &Follower{log: l, key: n.key(), about: n.bytes(), next: after + 1, heard: time.Now()}
	for began := time.Now(); ; {
		newest, writer, err := f.newest(ctx)
		if err != nil {
			return nil, err
		}
		if writer != "" {
			f.writer = writer
			if err := f.check(newest); err != nil {
				return nil, err
			}
			return f, nil
		}
		if time.Since(began) >= grace {
			return nil, ErrLost
		}
		if pace.Wait(ctx, minPoll) != nil {
			return nil, ctx.Err()
		}
	}
}

func (f *Follower) newest(ctx context.Context) (Entry, string, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return f.log.store.Newest(ctx, f.key)
}

// check looks at the end of the log, as far as it has one.
func (f *Follower) check(newest Entry) error {
	kind, _, err := f.unseal(newest)
	switch ended := kind == kindLast || kind == kindEnd; {
	case err != nil:
		return err
	case ended && newest.Number < f.next-1:
		return ErrLost // it never had so many
	case ended && newest.Number == f.next-1:
		f.over = true
	}
	return nil
}

// Read returns the events that there are after those that it has returned; none if they are still to
// come. It fails with io.EOF if none will, with ErrLost, or with the Store's error, after which it may
// be called again.
func (f *Follower) Read(ctx context.Context) ([]Event, error) {
	if f.over {
		return nil, io.EOF
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	entries, live, err := f.log.store.Read(ctx, f.key, f.writer, f.next-1, pageSize)
	if err != nil {
		f.failed = time.Now()
		return nil, err
	}
	f.heard = time.Now()
	if len(entries) == 0 && !live {
		if !f.failed.IsZero() && time.Since(f.failed) < recovery { // it could not say that it lives
			return nil, nil
		}
		return nil, ErrLost
	}
	var events []Event
	for _, entry := range entries {
		e, err := f.event(entry)
		if err != nil && len(events) > 0 {
			break // and it is the first next time
		} else if err != nil {
			return nil, err
		}
		f.next++
		if f.over = e.Last || e.Message == nil; e.Message != nil {
			events = append(events, e)
		}
	}
	if f.over && len(events) == 0 {
		return nil, io.EOF
	}
	return events, nil
}

// event opens an entry. The event has no message if none will come.
func (f *Follower) event(entry Entry) (e Event, err error) {
	if entry.Number != f.next || f.over {
		return e, ErrLost // there is a gap, or what we did not write
	}
	kind, text, err := f.unseal(entry)
	if err != nil || kind == kindEnd {
		return e, err
	}
	m, err := message.Parse(text)
	if err != nil || kind != kindEvent && kind != kindLast {
		return e, fmt.Errorf("%w: entry %d is not an event", ErrLost, entry.Number)
	}
	return Event{Message: m, Number: entry.Number, Last: kind == kindLast}, nil
}

func (f *Follower) unseal(entry Entry) (kind byte, text []byte, err error) {
	plain, err := f.log.keys.OpenRecord(uint64(entry.Number), entry.Data, f.about)
	if err != nil || len(plain) == 0 {
		return 0, nil, fmt.Errorf("%w: entry %d was not sealed for this stream by a key that is known here", ErrLost, entry.Number)
	}
	return plain[0], plain[1:], nil
}

// Wait is Read that waits until there are events. A Store that does not answer is asked again for as
// long as a writer may be silent; then what it has is lost.
func (f *Follower) Wait(ctx context.Context) ([]Event, error) {
	for poll := minPoll; ; poll = min(2*poll, maxPoll) {
		events, err := f.Read(ctx)
		switch {
		case len(events) > 0, errors.Is(err, io.EOF), errors.Is(err, ErrLost):
			return events, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && time.Since(f.heard) >= patience:
			return nil, fmt.Errorf("%w: %w", ErrLost, err)
		}
		if pace.Wait(ctx, poll) != nil {
			return nil, ctx.Err()
		}
	}
}
