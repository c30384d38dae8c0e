package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

var (
	// ErrUnknown says that there is no such session.
	ErrUnknown = errors.New("no such session")
	// ErrClosed says that the app is shutting down.
	ErrClosed = errors.New("the app is shutting down")
)

// A FullError says that there is no room for another session.
type FullError struct {
	What       string // whose limit it is
	Limit      int
	RetryAfter time.Duration
}

func (e *FullError) Error() string { return "there is no room for another session: " + e.What }

// Limits bounds a Table. Zero means no limit.
type Limits struct {
	Sessions int             // of all servers
	Starts   int             // processes starting at a time; zero means four times the processors
	Budget   *message.Budget // of large messages of processes
	Memory   Memory          // of the machine; nil means that it is not looked at
	Watch    *watch.Hub      // is told what happens; nil for nobody
}

// A Table holds the sessions of an app. Its methods may be called from any goroutine.
type Table struct {
	log    *slog.Logger
	redact func(string) string
	limits Limits
	travel Travel
	starts *starts
	count  counters
	memory *memory
	secret [16]byte // of alias
	past   *ledger

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // the sessions' supervisors, and who starts processes ahead

	mu       sync.Mutex
	sessions map[Key]*Session
	alive    map[*Session]struct{}              // those with a process, or on the way to one or from one
	awaited  map[Key]map[chan *Session]struct{} // who waits for a client to open a session
	wakings  map[Key]*waking                    // sessions that are being resurrected
	leaves   map[string]leave                   // of servers, by identity
	asking   map[string]chan struct{}           // held by who asks for one; capacity 1
	spares   map[*Server]*spares
	pools    pools // guarded by its own mutex
	closed   bool
}

type counters struct{ opened, ended, restarts, evicted, refused, resurrected atomic.Int64 }

// NewTable returns an empty Table. redact takes secrets out of what processes print.
func NewTable(log *slog.Logger, redact func(string) string, limits Limits, travel Travel) *Table {
	if limits.Starts == 0 {
		limits.Starts = 4 * runtime.GOMAXPROCS(0)
	}
	t := &Table{
		log: log, redact: redact, limits: limits, travel: travel, starts: newStarts(limits.Starts), memory: newMemory(limits.Memory),
		sessions: map[Key]*Session{}, alive: map[*Session]struct{}{}, awaited: map[Key]map[chan *Session]struct{}{},
		wakings: map[Key]*waking{}, leaves: map[string]leave{}, asking: map[string]chan struct{}{}, past: newLedger(),
		spares: map[*Server]*spares{}, pools: newPools(),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	if limits.Memory != nil {
		t.running.Go(t.watchMemory)
	}
	if travel.Ended != nil {
		t.running.Go(func() { travel.Ended.Watch(t.ctx, t.held, t.endHeld) })
	}
	rand.Read(t.secret[:])
	return t
}

// alias names a session in the log. Who reads the log cannot use it as an id.
func (t *Table) alias(k Key) string {
	sum := sha256.Sum256([]byte(string(t.secret[:]) + k.Server + "\x00" + k.Principal + "\x00" + k.Client + "\x00" + k.ID))
	return hex.EncodeToString(sum[:4])
}

// Find returns the session under key, entered: Leave must follow. It fails with ErrUnknown.
func (t *Table) Find(key Key) (*Session, error) {
	t.mu.Lock()
	s := t.sessions[key]
	t.mu.Unlock()
	if s == nil || !s.Enter() {
		return nil, ErrUnknown
	}
	return s, nil
}

// An Opening says which session Open opens.
type Opening struct {
	Server    *Server
	Principal string
	Client    string // the program that the principal uses; empty if it is not known
	Caller    any    // for Server.Launch; an io.Closer is closed when the session's process is gone
	ID        string // that the client chose; empty to mint one
	// Version is the protocol version for which we initialize the process ourselves, because the
	// client does not; empty if it does.
	Version string
	// Request names the HTTP request in the log; empty if it has no name.
	Request string
	// Fresh ends a session that is there under ID, instead of returning it.
	Fresh bool

	lost *ticket.Ticket // of the session that is taken over; nil for a new one
}

// Open opens a session and returns it, entered: Leave must follow. With an ID whose session is
// there it returns that, unless Fresh is set. The process starts in the background. It fails with
// a *FullError or ErrClosed.
func (t *Table) Open(o Opening) (*Session, error) {
	key := o.key()
	idle := o.Server.Idle
	var shake handshake
	switch {
	case o.lost != nil:
		var err error
		if shake, err = recall(o.lost); err != nil {
			return nil, err
		}
	case o.Version != "":
		shake = introduce(o.Version)
		if o.ID == "" {
			idle = min(idle, anonymousIdle)
		}
	}
	if o.ID == "" {
		key.ID = mint()
	}
	for {
		fits := t.memory.fits(o.Server.Name, t.pids)
		s, evict, err := t.admit(key, o, shake, idle, fits)
		if evict == nil {
			return s, err
		}
		if o.Fresh && evict.Key == key {
			evict.Close("the client initialized it anew")
			continue
		}
		t.count.evicted.Add(1)
		evict.retire("there was no room for a newer one, and it was idle the longest")
	}
}

// admit enters a session under key, or says which one must go first.
func (t *Table) admit(key Key, o Opening, shake handshake, idle time.Duration, fits bool) (s, evict *Session, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, ErrClosed
	}
	if s := t.sessions[key]; s != nil {
		if !o.Fresh && s.Enter() {
			return s, nil, nil
		}
		return nil, s, nil
	}
	if evict, err := t.room(key, o.Server, fits); err != nil || evict != nil {
		if err != nil {
			t.count.refused.Add(1)
		}
		return nil, evict, err
	}
	s = newSession(t, key, o.Server, o.Caller, shake, idle)
	s.sealable = o.ID == "" && o.Version == "" && o.lost == nil
	if o.lost != nil {
		s.created = o.lost.Created
	}
	s.active = 1
	t.sessions[key] = s
	t.alive[s] = struct{}{}
	t.count.opened.Add(1)
	t.memory.opened(o.Server.Name)
	t.arrived(s)
	t.running.Go(func() {
		apart(func() { s.log.Info("session opened", "request", o.Request) })
		s.supervise()
		if c, ok := s.caller.(io.Closer); ok {
			c.Close()
		}
		t.mu.Lock()
		delete(t.alive, s)
		t.mu.Unlock()
		t.count.ended.Add(1)
	})
	return s, nil, nil
}

// arrived tells those who wait for the session that it is there. mu is held.
func (t *Table) arrived(s *Session) {
	for ch := range t.awaited[s.known] {
		ch <- s // capacity 1, and sent to once
	}
	delete(t.awaited, s.known)
}

// room says whether there is room for a session of key: it returns nil if so, else an idle session
// that must end first, the one that has been idle the longest, or a *FullError. fits says whether
// there is memory for its process. mu is held.
func (t *Table) room(key Key, server *Server, fits bool) (evict *Session, err error) {
	for _, limit := range []struct {
		max   int
		known bool // counts only where callers are known
		what  string
		of    func(Key) bool
	}{
		{server.MaxPerPrincipal, true, "this caller has as many as one caller may have on this server",
			func(k Key) bool { return k.Server == key.Server && k.Principal == key.Principal }},
		{server.Max, false, "this server has as many as it may have", func(k Key) bool { return k.Server == key.Server }},
		{t.limits.Sessions, false, "the app has as many as it may have", func(Key) bool { return true }},
	} {
		if limit.max <= 0 || limit.known && key.Principal == "" {
			continue
		}
		if t.countOf(limit.of) < limit.max {
			continue
		}
		if oldest := t.idlest(limit.of); oldest != nil {
			return oldest, nil
		}
		if t.pools.leaveRoom(limit.of) {
			continue
		}
		return nil, &FullError{What: limit.what, Limit: limit.max, RetryAfter: 10 * time.Second}
	}
	if !fits {
		if oldest := t.idlest(func(Key) bool { return true }); oldest != nil {
			t.memory.ended(oldest.Server)
			return oldest, nil
		}
		if t.pools.leaveRoom(func(Key) bool { return true }) {
			return nil, nil
		}
		return nil, &FullError{What: "the instance has no memory for its process", RetryAfter: 10 * time.Second}
	}
	return nil, nil
}

// pids lists the processes that are alive, by server.
func (t *Table) pids() map[string][]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	pids := map[string][]int{}
	for s := range t.alive {
		if pid := int(s.pid.Load()); pid > 0 {
			pids[s.Server] = append(pids[s.Server], pid)
		}
	}
	t.pools.pids(pids)
	return pids
}

func (t *Table) countOf(of func(Key) bool) (n int) {
	for k := range t.sessions {
		if of(k) {
			n++
		}
	}
	return n + t.pools.count(of)
}

// idlest returns the session that nobody has used for the longest time, or nil if all are in use. One
// that still works on a request, whose client may come back for the answer, is taken after all others.
func (t *Table) idlest(of func(Key) bool) *Session {
	var oldest, working *Session
	var since, sinceWorking time.Time
	for k, s := range t.sessions {
		if !of(k) {
			continue
		}
		switch left, idle, works := s.idleSince(); {
		case !idle:
		case works && (working == nil || left.Before(sinceWorking)):
			working, sinceWorking = s, left
		case !works && (oldest == nil || left.Before(since)):
			oldest, since = s, left
		}
	}
	return cmp.Or(oldest, working)
}

// Await waits until a session is opened under key, and returns it, entered: Leave must follow. It
// opens nothing. It fails with ctx's error or ErrClosed.
func (t *Table) Await(ctx context.Context, key Key) (*Session, error) {
	for {
		t.mu.Lock()
		if t.closed {
			t.mu.Unlock()
			return nil, ErrClosed
		}
		if s := t.sessions[key]; s != nil && s.Enter() {
			t.mu.Unlock()
			return s, nil
		}
		ch := make(chan *Session, 1)
		if t.awaited[key] == nil {
			t.awaited[key] = map[chan *Session]struct{}{}
		}
		t.awaited[key][ch] = struct{}{}
		t.mu.Unlock()
		select {
		case s, ok := <-ch:
			if ok && s.Enter() {
				return s, nil
			}
		case <-ctx.Done():
			t.mu.Lock()
			delete(t.awaited[key], ch)
			if len(t.awaited[key]) == 0 {
				delete(t.awaited, key)
			}
			t.mu.Unlock()
			return nil, ctx.Err()
		}
	}
}

// forget makes s unknown under its key.
func (t *Table) forget(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.known] == s {
		delete(t.sessions, s.known)
	}
}

// Room returns an error while no session could be opened whoever asked.
func (t *Table) Room() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	all := func(Key) bool { return true }
	if max := t.limits.Sessions; max > 0 && len(t.sessions) >= max && t.idlest(all) == nil {
		return &FullError{What: "the app has as many as it may have", Limit: max}
	}
	return nil
}

// Refuse makes Open and Share fail with ErrClosed from now on, and ends subscriptions, which have no
// end of their own. Sessions that are there go on.
func (t *Table) Refuse() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.pools.dismiss()
}

// Close ends all sessions, in parallel, and returns when their processes are gone. Nothing opens
// from then on.
func (t *Table) Close() {
	t.mu.Lock()
	t.closed = true
	var all []*Session
	for s := range t.alive {
		all = append(all, s)
	}
	for _, waiting := range t.awaited {
		for ch := range waiting {
			close(ch)
		}
	}
	clear(t.awaited)
	t.mu.Unlock()
	t.cancel()
	for _, s := range all {
		s.Close("the app is shutting down")
	}
	t.running.Wait()
	var ended sync.WaitGroup
	for _, sp := range t.spares {
		sp.close(&ended)
	}
	ended.Wait()
}
