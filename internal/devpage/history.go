package devpage

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// Bounds of a History.
const (
	maxSessions = 100      // kept; the first that has ended goes when another is opened
	maxMessages = 100      // of a session, its events among them
	maxLines    = 100      // of stderr, of a session
	maxBytes    = 16 << 20 // of all bodies and lines together
	maxWaiting  = 16       // callers of wait at a time
)

// A History keeps the last of what happened in every session: it is the watch.Sink of a Page.
// Everything is bounded, and the oldest goes first.
type History struct {
	secrets *secret.Redactor

	mu        sync.Mutex
	sessions  []*track // the oldest first
	last      uint64   // number that was given
	bytes     int
	unwatched int           // sessions that were not kept, for want of room
	version   uint64        // counts what has happened
	changed   chan struct{} // closed and replaced when version grows and someone waits
	waiting   int
	closed    bool
}

// NewHistory returns a History. secrets, which may be nil, takes secrets out of what it is told.
func NewHistory(secrets *secret.Redactor) *History {
	return &History{secrets: secrets, changed: make(chan struct{})}
}

// Open implements watch.Sink.
func (h *History) Open(server, name string, pool bool) watch.SessionSink {
	t := &track{of: h, about: Session{Server: server, Name: name, Pool: pool, Opened: time.Now()}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) == maxSessions {
		i := slices.IndexFunc(h.sessions, func(t *track) bool { return t.about.Ended != nil })
		if i < 0 {
			h.unwatched++
			h.happened()
			return t
		}
		h.bytes -= h.sessions[i].bytes
		h.sessions[i].kept = false
		h.sessions = slices.Delete(h.sessions, i, i+1)
	}
	t.kept = true
	h.last++
	t.about.Number = h.last
	h.sessions = append(h.sessions, t)
	h.happened()
	return t
}

// happened wakes who waits. mu is held.
func (h *History) happened() {
	h.version++
	if h.waiting > 0 {
		close(h.changed)
		h.changed = make(chan struct{})
		h.waiting = 0
	}
}

// shrink drops the oldest of what is kept until it is within maxBytes. mu is held.
func (h *History) shrink() {
	for h.bytes > maxBytes {
		var oldest *track
		for _, t := range h.sessions {
			if at, ok := t.oldest(); ok {
				if than, any := oldest.oldest(); !any || at.Before(than) {
					oldest = t
				}
			}
		}
		if oldest == nil {
			return // not reached: what counts is in one of them
		}
		oldest.dropOldest()
	}
}

// errBusy says that as many wait as may.
var errBusy = errors.New("too many requests wait for news")

// wait waits until something has happened after version, which is a view's, until ctx ends or the
// History is closed. It fails with errBusy alone: who hears of nothing new looks at the time that has
// passed.
func (h *History) wait(ctx context.Context, version uint64) error {
	h.mu.Lock()
	if h.closed || h.version != version || ctx.Err() != nil {
		h.mu.Unlock()
		return nil
	}
	if h.waiting == maxWaiting {
		h.mu.Unlock()
		return errBusy
	}
	h.waiting++
	changed := h.changed
	h.mu.Unlock()
	select {
	case <-changed: // which set waiting to 0
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if changed == h.changed {
		h.waiting--
	}
	return nil
}

// Close implements watch.Sink: it wakes every waiting goroutine, and later ones do not wait.
func (h *History) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.happened()
}
