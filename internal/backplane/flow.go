package backplane

import (
	"context"
	"sync"
)

// Bodies are sent in pieces, and no further ahead of their reader than a window.
const (
	pieceSize = 64 << 10  // bytes
	window    = 128 << 10 // bytes that may be in transit or wait to be read
)

// A valve lets the writer of a body send as much as its reader has room for.
type valve struct {
	mu     sync.Mutex
	room   int
	opened chan struct{} // capacity 1
}

func newValve() *valve { return &valve{room: window, opened: make(chan struct{}, 1)} }

// pass waits until n bytes, at most a piece, may be sent, and counts them. It fails with the cause of ctx's end. Only one
// goroutine at a time may call it.
func (v *valve) pass(ctx context.Context, n int) error {
	for !v.take(n) {
		select {
		case <-v.opened:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// take counts n bytes if there is room for any.
func (v *valve) take(n int) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.room <= 0 {
		return false
	}
	v.room -= n
	return true
}

// open makes room for n more bytes.
func (v *valve) open(n int) {
	v.mu.Lock()
	v.room = min(v.room+n, window)
	v.mu.Unlock()
	rouse(v.opened)
}

// An inlet holds what has arrived of a body until it is read.
type inlet struct {
	mu      sync.Mutex
	entries []*entry
	parts   int           // that have arrived
	unread  int           // bytes
	err     error         // why no more arrives; nil while more may
	ready   chan struct{} // capacity 1
}

func newInlet() *inlet { return &inlet{ready: make(chan struct{}, 1)} }

// add adds an entry. It fails with errEntry if an earlier one is missing, or if the writer ignores the window.
func (in *inlet) add(e *entry) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return in.err
	}
	if e.part != in.parts || in.unread > window+pieceSize {
		return errEntry
	}
	in.parts++
	in.unread += len(e.data)
	in.entries = append(in.entries, e)
	rouse(in.ready)
	return nil
}

// close makes add fail, and returns the number of bytes that were not read.
func (in *inlet) close() (unread int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = errClosed
	}
	unread = in.unread
	in.entries, in.unread = nil, 0
	return unread
}

// fail makes take return err after the entries that have arrived. Only the first call has an effect.
func (in *inlet) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
	rouse(in.ready)
}

// take returns the next entry, or nil if it has not arrived yet, or the reason why it will not.
func (in *inlet) take() (*entry, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.entries) == 0 {
		return nil, in.err
	}
	e := in.entries[0]
	in.entries[0] = nil
	in.entries = in.entries[1:]
	in.unread -= len(e.data)
	return e, nil
}

// next is take, but waits for the entry. It also fails with the cause of ctx's end.
func (in *inlet) next(ctx context.Context) (*entry, error) {
	for {
		if e, err := in.take(); e != nil || err != nil {
			return e, err
		}
		select {
		case <-in.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
