package backplane

import (
	"context"
	"sync"
)

// Bodies are sent in pieces, at most one window ahead of the reader.
const (
	pieceSize = 64 << 10  // bytes
	window    = 128 << 10 // that may be on their way, or wait to be read
)

// A valve lets a body's writer send what its reader has room for.
type valve struct {
	mu     sync.Mutex
	room   int
	opened chan struct{} // capacity 1
}

func newValve() *valve { return &valve{room: window, opened: make(chan struct{}, 1)} }

// pass returns when n bytes, a piece at most, may be sent, and counts them. It is called by one goroutine at a
// time, and returns the cause of ctx's end.
func (v *valve) pass(ctx context.Context, n int) error {
	for {
		if v.take(n) {
			return nil
		}
		select {
		case <-v.opened:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
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

// open gives room for n bytes more.
func (v *valve) open(n int) {
	v.mu.Lock()
	v.room = min(v.room+n, window)
	v.mu.Unlock()
	select {
	case v.opened <- struct{}{}:
	default:
	}
}

// An inlet is where what comes of a body, or an answer, waits for its reader.
type inlet struct {
	mu      sync.Mutex
	entries []*entry
	parts   int           // that have come
	unread  int           // bytes
	err     error         // why no more comes; nil while more may
	ready   chan struct{} // capacity 1
}

func newInlet() *inlet { return &inlet{ready: make(chan struct{}, 1)} }

// add adds an entry. It fails with errEntry if one before it is missing, or if the writer does not mind the
// window.
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
	in.wake()
	return nil
}

// close takes no more, and returns how many bytes of what has come were not read.
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

// fail says that no more comes. Only the first call counts.
func (in *inlet) fail(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = err
	}
	in.wake()
}

func (in *inlet) wake() {
	select {
	case in.ready <- struct{}{}:
	default:
	}
}

// take returns the next entry, or nil if it has not arrived yet, or why none will come.
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

// next is take that waits. It fails with the cause of ctx's end, too.
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
