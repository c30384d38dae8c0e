package admission

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrClosed says that the app is shutting down.
var ErrClosed = errors.New("the app is shutting down")

// A FullError says that there is no room for another session.
type FullError struct {
	What       string // whose limit it is
	Limit      int
	RetryAfter time.Duration
}

func (e *FullError) Error() string { return "no room for another session: " + e.What }

// A BusyError says that too many requests are in flight in one place. Each takes about 10 KiB until it is answered,
// which a server may never do.
type BusyError struct {
	What  string // where
	Limit int
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("too many requests in flight for %s: the maximum is %d", e.What, e.Limit)
}

// A Key is what a session is found by. Another principal's session is as unknown as one that never
// was, and so is that of the same one by another program: what a user lets one client do is not the
// other's. What has no id of its own, as a process that requests share, leaves ID empty.
type Key struct{ Server, Principal, Client, ID string }

// Name is what k is called among instances: it says nothing of it. purpose tells names of different things apart.
func (k Key) Name(purpose string) string {
	b := []byte(purpose)
	for _, part := range []string{k.Server, k.Principal, k.Client, k.ID} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A Tenant holds a process, or may come to. Its methods may be called from any goroutine, and call none
// of a Controller but Evict.
type Tenant interface {
	// Idle reports since when nobody has used the tenant, if nobody does, and whether it works on a
	// request all the same.
	Idle() (since time.Time, idle, working bool)
	// Evict ends it to make room, unless it has ended.
	Evict()
	// PID is the number of its process, or 0 while it does not have one that can be ended.
	PID() int
	// OutOfMemory ends its process at once, which uses this many bytes.
	OutOfMemory(used int64)
}

// Limits are those of one server. Zero means no limit.
type Limits struct {
	Max             int // tenants
	MaxPerPrincipal int // tenants of one caller, where callers are known
}

// A Controller admits tenants. Its methods may be called from any goroutine, though never while a lock is
// held that a method of a Tenant takes.
type Controller struct {
	max    int      // of all servers
	spare  Reserve  // nil for none
	source Memory   // nil: everything fits
	secret [16]byte // of Alias
	cancel context.CancelFunc
	done   sync.WaitGroup // of who watches the memory

	mu      sync.Mutex
	tenants map[Tenant]*place
	counts  counts // of tenants, but those that have vacated their place
	memory  memory
	closed  bool
}

// A place is what a tenant takes.
type place struct {
	key     Key
	process bool // it has one, or is about to
	vacated bool // it counts for no limit any more, but its process may be there yet
}

// A Reserve holds prewarmed processes without a session. They are the first to go when memory is short.
type Reserve interface {
	// Shed ends one of them, and returns the server that it was of; ok is false if there are no such processes. It
	// does not wait, and may be called with a Controller's lock held.
	Shed() (server string, ok bool)
	// Holds reports whether there are any.
	Holds() bool
}

// New returns a Controller of an app that may have max tenants; zero means no limit. Without a source of
// what memory there is, everything fits; with one, nobody is admitted to the last reserve bytes, besides
// those that the app itself needs. Close must be called.
//
// spare, which may be nil, gives up processes before a tenant has to go for want of memory.
func New(max int, source Memory, reserve int64, spare Reserve) *Controller {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Controller{max: max, spare: spare, source: source, memory: newMemory(reserve), cancel: cancel, tenants: map[Tenant]*place{}, counts: counts{}}
	rand.Read(c.secret[:])
	if source != nil {
		c.done.Go(func() { c.watchMemory(ctx) })
	}
	return c
}

// Refuse makes Admit and Room fail with ErrClosed from now on.
func (c *Controller) Refuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// Close is Refuse, and nobody is ended any more for want of memory.
func (c *Controller) Close() {
	c.Refuse()
	c.cancel()
	c.done.Wait()
}

// Admit gives t room, if there is, until Vacate and Remove. Otherwise it returns who must be evicted
// first, after which Admit is called again, or fails with a *FullError or ErrClosed. What memory there
// is it knows from Measure. It does not wait, so that it may be called with a lock held that no method of
// a Tenant takes.
//
// process says that t has a process, or is about to. One that has none calls Start before it gets one. It counts
// for every limit but that of memory, of which it needs next to none.
func (c *Controller) Admit(t Tenant, key Key, limits Limits, process bool) (victim Tenant, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	victim, err = c.roomLocked(key, limits)
	switch {
	case victim != nil || err != nil:
	case process:
		victim, err = c.memoryLocked(key.Server)
	default:
		victim, err = c.ownMemoryLocked()
	}
	if victim != nil || err != nil {
		return victim, err
	}
	c.tenants[t] = &place{key: key, process: process}
	c.counts.add(key, 1)
	if process {
		c.memory.opened(key.Server)
	}
	return nil, nil
}

// Start is Admit for the process of a tenant that was admitted without one. A tenant that has one, or is not
// there any more, needs no room.
func (c *Controller) Start(t Tenant) (victim Tenant, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.tenants[t]
	switch {
	case c.closed:
		return nil, ErrClosed
	case p == nil || p.process:
		return nil, nil
	}
	if victim, err = c.memoryLocked(p.key.Server); victim == nil && err == nil {
		p.process = true
		c.memory.opened(p.key.Server)
	}
	return victim, err
}

// roomLocked returns nil if there is room for key by number, else who must go first, or a *FullError.
func (c *Controller) roomLocked(key Key, limits Limits) (victim Tenant, err error) {
	if key.Principal == "" {
		limits.MaxPerPrincipal = 0 // callers are not known
	}
	for _, limit := range []struct {
		max   int
		whose Key
		what  string
	}{
		{limits.MaxPerPrincipal, Key{Server: key.Server, Principal: key.Principal}, "this caller has reached its limit on this server"},
		{limits.Max, Key{Server: key.Server}, "this server has reached its limit"},
		{c.max, Key{}, whatApp},
	} {
		if limit.max <= 0 || c.counts[limit.whose] < limit.max {
			continue
		}
		if victim = c.idlestLocked(limit.whose, false); victim != nil {
			return victim, nil
		}
		return nil, &FullError{What: limit.what, Limit: limit.max, RetryAfter: 10 * time.Second}
	}
	return nil, nil
}

// memoryLocked returns nil if there is memory for a process of server, else whose process must go first, or a
// *FullError. Unused processes are ended at once.
func (c *Controller) memoryLocked(server string) (victim Tenant, err error) {
	for !c.memory.fits(server, 1) {
		if c.shedLocked() {
			continue
		}
		if victim = c.idlestLocked(Key{}, true); victim != nil {
			c.memory.ended(c.tenants[victim].key.Server)
			return victim, nil
		}
		return nil, errNoMemory
	}
	return nil, nil
}

// ownMemoryLocked is memoryLocked for a tenant without a process, for which the app's own memory must do.
func (c *Controller) ownMemoryLocked() (victim Tenant, err error) {
	if !c.memory.short() || c.shedLocked() {
		return nil, nil
	}
	if victim = c.idlestLocked(Key{}, false); victim == nil {
		return nil, &FullError{What: "the instance does not have enough memory for it", RetryAfter: 10 * time.Second}
	}
	if c.tenants[victim].process {
		c.memory.ended(c.tenants[victim].key.Server)
	}
	return victim, nil
}

// shedLocked ends an unused process, and reports whether there was one.
func (c *Controller) shedLocked() bool {
	if c.spare == nil {
		return false
	}
	server, ok := c.spare.Shed()
	if ok {
		c.memory.ended(server)
	}
	return ok
}

// HasRoom reports whether a process of server, started in advance, would leave room for another one.
func (c *Controller) HasRoom(server string) bool {
	c.Measure()
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed && c.memory.fits(server, 2)
}

const whatApp = "the app has reached its limit"

var errNoMemory = &FullError{What: "the instance does not have enough memory for its process", RetryAfter: 10 * time.Second}

// idlestLocked returns the tenant that nobody has used for the longest time, or nil if all are in use, of those
// that count for a limit; with process, of those of them that have one. One that still works on a request, whose
// client may come back for the answer, is taken after all others.
func (c *Controller) idlestLocked(whose Key, process bool) Tenant {
	var oldest, working Tenant
	var since, sinceWorking time.Time
	for t, p := range c.tenants {
		if p.vacated || process && !p.process || !whose.has(p.key) {
			continue
		}
		switch left, idle, works := t.Idle(); {
		case !idle:
		case works && (working == nil || left.Before(sinceWorking)):
			working, sinceWorking = t, left
		case !works && (oldest == nil || left.Before(since)):
			oldest, since = t, left
		}
	}
	return cmp.Or(oldest, working)
}

// Vacate says that t counts for no limit any more.
func (c *Controller) Vacate(t Tenant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.tenants[t]; p != nil && !p.vacated {
		p.vacated = true
		c.counts.add(p.key, -1)
	}
}

// Remove says that the process of t is gone.
func (c *Controller) Remove(t Tenant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.tenants[t]; p != nil && !p.vacated {
		c.counts.add(p.key, -1)
	}
	delete(c.tenants, t)
}

// Room returns an error while nobody could be admitted to any of these servers, at whatever price to others.
func (c *Controller) Room(servers []string) error {
	c.Measure()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.idlestLocked(Key{}, false) != nil:
		return nil
	case c.max > 0 && c.counts[Key{}] >= c.max:
		return &FullError{What: whatApp, Limit: c.max}
	case !slices.ContainsFunc(servers, func(s string) bool { return c.memory.fits(s, 1) }) && (c.spare == nil || !c.spare.Holds()):
		return errNoMemory
	}
	return nil
}

// Used is how many bytes the processes use; zero where that is not known.
func (c *Controller) Used() (sum int64) {
	if c.source == nil {
		return 0
	}
	for _, used := range c.source.Used(slices.Collect(maps.Keys(c.byPID()))) {
		sum += used
	}
	return sum
}

// Alias names a tenant in the log. Who reads the log cannot use it as an id.
func (c *Controller) Alias(k Key) string {
	sum := sha256.Sum256([]byte(string(c.secret[:]) + k.Server + "\x00" + k.Principal + "\x00" + k.Client + "\x00" + k.ID))
	return hex.EncodeToString(sum[:4])
}

// byPID returns the tenants whose processes are alive.
func (c *Controller) byPID() map[int]Tenant {
	c.mu.Lock()
	defer c.mu.Unlock()
	tenants := map[int]Tenant{}
	for t := range c.tenants {
		if pid := t.PID(); pid > 0 {
			tenants[pid] = t
		}
	}
	return tenants
}
