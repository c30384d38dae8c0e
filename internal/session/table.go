package session

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// ErrUnknown says that there is no such session.
var ErrUnknown = errors.New("no such session")

// Options are what a Table is made of.
type Options struct {
	Log       *slog.Logger
	Starter   *child.Starter
	Admission *admission.Controller
	Watch     *watch.Hub // is told what happens; nil for none
	Sharing   Sharing
}

// A Table holds the sessions of an app. Its methods may be called from any goroutine.
type Table struct {
	log         *slog.Logger
	starter     *child.Starter
	admission   *admission.Controller
	watch       *watch.Hub
	sharing     Sharing
	count       counters
	tombstones  *tombstones
	permissions *permissions
	firstStarts firstStarts
	talks       sync.Map // Talk → opened

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // the sessions' supervisors, and who works in the background

	mu        sync.Mutex
	sessions  map[admission.Key]*Session
	alive     map[*Session]admission.Key  // those that are here, and those with a process, or on the way from one, and where they are, or were, among sessions
	filed     broadcast                   // of one more of sessions, and of closed
	takeovers map[admission.Key]*takeover // that are going on
	idle      int                         // of alive: those that have had no process yet
	closed    bool
}

type counters struct{ opened, ended, restarts, evicted, refused, takenOver atomic.Int64 }

// NewTable returns an empty Table. Close must be called.
func NewTable(o Options) *Table {
	t := &Table{
		log: o.Log, starter: o.Starter, admission: o.Admission, watch: o.Watch, sharing: o.Sharing,
		tombstones: newTombstones(), permissions: newPermissions(),
		sessions: map[admission.Key]*Session{}, alive: map[*Session]admission.Key{},
		takeovers: map[admission.Key]*takeover{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if ended := o.Sharing.Ended; ended != nil {
		t.running.Go(func() { ended.Watch(t.ctx, t.held, t.endHeld) })
	}
	return t
}

// background runs f, which Close waits for, and whose context it ends. It does not once Close or Refuse
// was called.
func (t *Table) background(f func(ctx context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.running.Go(func() { f(t.ctx) })
	}
}

// Find returns the session under key, entered: Leave must follow. It fails with ErrUnknown.
func (t *Table) Find(key admission.Key) (*Session, error) {
	t.mu.Lock()
	s := t.sessions[key]
	t.mu.Unlock()
	if s == nil || !s.Enter() {
		return nil, ErrUnknown
	}
	return s, nil
}

// Here reports whether the session of key is here.
func (t *Table) Here(key admission.Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[key] != nil
}

// Protocol is the protocol version that the session of o negotiated, here or elsewhere, or "" if it
// does not exist or did not negotiate.
func (t *Table) Protocol(o Opening) string {
	t.mu.Lock()
	s := t.sessions[o.key()]
	t.mu.Unlock()
	if s != nil {
		return s.Protocol()
	}
	if tk, err := t.takeoverTicket(o); err == nil {
		return tk.Version
	}
	return ""
}

// Await waits until a session is opened under key, and returns it, entered: Leave must follow. It
// opens nothing. It fails with ctx's error or ErrClosed.
func (t *Table) Await(ctx context.Context, key admission.Key) (*Session, error) {
	for {
		s, filed, err := t.findOrAwait(key)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-filed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// findOrAwait returns the session under key, entered, or what is closed when there may be one.
func (t *Table) findOrAwait(key admission.Key) (*Session, <-chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, admission.ErrClosed
	}
	if s := t.sessions[key]; s != nil && s.Enter() {
		return s, nil, nil
	}
	return nil, t.filed.wait(), nil
}

// fileLocked makes s known under key, and tells those who wait for it.
func (t *Table) fileLocked(s *Session, key admission.Key) {
	t.sessions[key], t.alive[s] = s, key
	t.filed.notify()
}

// refile makes s known by a sealed id and no longer by the one that it was opened with. It reports
// false if s has ended.
func (t *Table) refile(s *Session, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := t.alive[s]
	if s.why != nil || t.sessions[key] != s {
		return false
	}
	s.sealed = id
	s.streams.Share(t.sharing.Events, logName(s.Key, id))
	delete(t.sessions, key)
	key.ID = id
	t.fileLocked(s, key)
	return true
}

// forget makes s unknown under its key, and gives its room to others.
func (t *Table) forget(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if key := t.alive[s]; t.sessions[key] == s {
		delete(t.sessions, key)
	}
	t.admission.Vacate(s)
}

// Refuse makes Open fail with admission.ErrClosed from now on. Sessions that are there go on.
func (t *Table) Refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// Close ends all sessions, in parallel, and returns when their processes are gone. Nothing opens
// from then on.
func (t *Table) Close() {
	all := t.close()
	t.cancel()
	for _, s := range all {
		s.Close(admission.ErrClosed.Error())
	}
	t.running.Wait()
}

// close is Refuse, for those who wait, too. It returns the sessions that are there.
func (t *Table) close() (all []*Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for s := range t.alive {
		all = append(all, s)
	}
	t.filed.notify()
	return all
}

// Stats are the figures of a Table.
type Stats struct {
	Sessions  int   // that clients can reach
	Processes int   // of sessions: alive, starting or ending
	Idle      int   // of Sessions: those that have needed no process yet
	Opened    int64 // since the start
	Ended     int64
	Restarts  int64          // of processes within their session
	Evicted   int64          // sessions ended to make room
	Refused   int64          // for want of room
	Servers   map[string]int // sessions, by server

	TakenOver  int64 // of those opened: sessions that were on another instance, or hibernated
	Hibernated int   // sessions that hibernate here; they are not among Sessions
}

// Stats returns the figures of now.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := Stats{
		Sessions: len(t.sessions), Processes: len(t.alive) - t.idle, Servers: map[string]int{},
		Opened: t.count.opened.Load(), Ended: t.count.ended.Load(), Restarts: t.count.restarts.Load(),
		Evicted: t.count.evicted.Load(), Refused: t.count.refused.Load(),
		Idle: t.idle, TakenOver: t.count.takenOver.Load(), Hibernated: t.tombstones.asleep(),
	}
	for k := range t.sessions {
		st.Servers[k.Server]++
	}
	return st
}

// ticketOf opens o.ID. It fails with ErrUnknown, too, if that is too old.
func (t *Table) ticketOf(o Opening) (*ticket.Ticket, error) {
	if t.sharing.Keys == nil {
		return nil, ErrUnknown
	}
	tk, err := t.sharing.Keys.Open(holder(o.key()), o.ID)
	if err != nil || o.Server.tooOld(tk.Created) {
		return nil, ErrUnknown
	}
	return &tk, nil
}
