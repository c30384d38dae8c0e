package watch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Bounds of a Hub.
const (
	maxSessions = 100      // kept; the first that has ended goes when another is opened
	maxMessages = 100      // of a session, its events among them
	maxLines    = 100      // of stderr, of a session
	maxBytes    = 16 << 20 // of all bodies and lines together
	maxWaiting  = 16       // callers of Wait at a time
	maxPending  = 1024     // requests of a session that are timed
	bodyBytes   = 4 << 10  // of a message; the rest is counted
	nameBytes   = 128      // of an id, a method, a name that a peer gave
	lineBytes   = 2 << 10
)

// Options says what a Hub does with what it hears.
type Options struct {
	Redact func(string) string // takes secrets out of a text
	// Overhang is how many bytes beyond a cut are read for Redact to find the secret that the cut
	// would go through: as many as the longest secret has.
	Overhang int
	Wire     *slog.Logger // gets a debug record a message; nil for none
	Keep     bool         // for Sessions and Session
}

// A Hub hears of every session of an app. The nil Hub hears nothing. Its methods may be called from
// any goroutine.
type Hub struct {
	opts Options

	mu        sync.Mutex
	sessions  []*Recorder // the oldest first
	last      uint64      // number that was given
	bytes     int
	unwatched int           // sessions that were not kept, for want of room
	version   uint64        // counts what has happened
	changed   chan struct{} // closed and replaced when version grows and somebody waits
	waiting   int
	closed    bool
}

// New returns a Hub.
func New(o Options) *Hub { return &Hub{opts: o, changed: make(chan struct{})} }

// Open returns the Recorder of a new session, or of a process without sessions, under the name that
// the log has for it.
func (h *Hub) Open(server, name string, pool bool) *Recorder {
	if h == nil {
		return nil
	}
	r := &Recorder{hub: h, pending: map[key]pending{}}
	r.about = Session{Server: server, Name: name, Pool: pool, Opened: time.Now()}
	if h.opts.Wire != nil {
		what := "session" // as everything else of it is logged
		if pool {
			what = "pool"
		}
		r.wire = h.opts.Wire.With("server", server, what, name)
	}
	if !h.opts.Keep {
		return r
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) == maxSessions {
		i := slices.IndexFunc(h.sessions, func(r *Recorder) bool { return r.about.Ended != nil })
		if i < 0 {
			h.unwatched++
			h.happened()
			return r
		}
		h.bytes -= h.sessions[i].bytes
		h.sessions[i].kept = false
		h.sessions = slices.Delete(h.sessions, i, i+1)
	}
	r.kept = true
	h.last++
	r.about.Number = h.last
	h.sessions = append(h.sessions, r)
	h.happened()
	return r
}

// happened wakes who waits. mu is held.
func (h *Hub) happened() {
	h.version++
	if h.waiting > 0 {
		close(h.changed)
		h.changed = make(chan struct{})
		h.waiting = 0
	}
}

// shrink drops the oldest of what is kept until it is within maxBytes. mu is held.
func (h *Hub) shrink() {
	for h.bytes > maxBytes {
		var oldest *Recorder
		for _, r := range h.sessions {
			if at, ok := r.oldest(); ok {
				if than, any := oldest.oldest(); !any || at.Before(than) {
					oldest = r
				}
			}
		}
		if oldest == nil {
			return // not reached: what counts is in one of them
		}
		oldest.dropOldest()
	}
}

// ErrBusy says that as many wait as may.
var ErrBusy = errors.New("too many wait for news at a time")

// Wait waits until something has happened after version, which is a View's, until ctx ends or the
// Hub is closed. It fails with ErrBusy alone: who hears of nothing new looks at the time that has
// passed.
func (h *Hub) Wait(ctx context.Context, version uint64) error {
	h.mu.Lock()
	if h.closed || h.version != version || ctx.Err() != nil {
		h.mu.Unlock()
		return nil
	}
	if h.waiting == maxWaiting {
		h.mu.Unlock()
		return ErrBusy
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

// Close wakes all who wait. Nobody waits from then on.
func (h *Hub) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.happened()
}
