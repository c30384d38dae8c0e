package backplane

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// How soon instances notice what became of each other: one that dies is found dead within 6 s. See SignOfLife.
const (
	beat       = time.Second     // how often an instance says that it is alive
	SignOfLife = 5 * time.Second // how long that is good
	watchPause = 500 * time.Millisecond
	patience   = time.Second // with a Redis that does not answer, for those who wait for another instance
	farewell   = 3 * time.Second
)

// Bounds of what one instance has to do with the others.
const (
	maxCalls   = 4096     // that others answer, and as many that are answered for others
	maxQueued  = 16 << 20 // bytes that wait to be sent, beyond which senders wait
	maxUnread  = 64 << 20 // bytes that have come and wait to be read, beyond which calls end
	maxOwners  = 4096     // that are remembered
	ownerKnown = 10 * time.Second
	peerKnown  = time.Second
)

var (
	errDown   = errors.New("cannot reach Redis")
	errClosed = errors.New("the app is shutting down")
	errPeer   = errors.New("the other instance has ended")
	errUnread = errors.New("too many answers of other instances wait to be read")
)

// An Instance is one instance of an app, as the others know it: it owns sessions, passes calls on to the owners
// of others, and answers those that are passed on to it. Its methods may be called from any goroutine.
type Instance struct {
	store *Store
	log   *slog.Logger
	name  string // of this process alone
	serve func(http.ResponseWriter, *http.Request, Passed)

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	serving sync.WaitGroup
	outgo   chan struct{} // says that there is something to send; capacity 1
	said    chan struct{} // closed when Redis was first told that this instance lives, or could not be
	chore   chan struct{} // says that there is a claim to tell or to give back; capacity 1

	shaky   atomic.Bool // the connection on which mail comes is lost: what was known a moment ago may be so no more
	down    atomic.Bool // Redis did not answer for longer than patience
	settled atomic.Bool // Redis has known for long enough who owns what: see settle

	forwarded, answered atomic.Int64

	mu       sync.Mutex
	queue    []outgoing
	queued   int // bytes
	drained  chan struct{}
	calls    map[uint64]*call
	lastCall uint64
	served   map[servedKey]*served
	unread   int // bytes
	claims   map[string]*claim
	claiming map[string]chan struct{} // names that are being claimed; closed when that is over
	epoch    int
	releases []ownership
	owners   map[string]known
	peers    map[string]time.Time // until when they are known to live
	closed   bool
}

type outgoing struct {
	to string
	e  *entry
}

// Passed says of a request that another instance passes on who made it, as that instance has verified. It is to
// be verified again.
type Passed struct{ Principal, Client string }

// NewInstance returns an Instance whose mail is sealed with keys. Start and Close must be called.
func NewInstance(store *Store, keys *ticket.Keys, log *slog.Logger) *Instance {
	i := &Instance{
		store: store, log: log, name: strings.ToLower(rand.Text()[:16]),
		outgo: make(chan struct{}, 1), chore: make(chan struct{}, 1), said: make(chan struct{}), drained: make(chan struct{}),
		calls: map[uint64]*call{}, served: map[servedKey]*served{}, claims: map[string]*claim{}, claiming: map[string]chan struct{}{},
		owners: map[string]known{}, peers: map[string]time.Time{},
	}
	store.keys = keys
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// Start lets other instances know of this one. What they pass on is given to serve, in goroutines.
func (i *Instance) Start(serve func(http.ResponseWriter, *http.Request, Passed)) {
	i.serve = serve
	i.loops.Go(i.live)
	i.loops.Go(i.send)
	i.loops.Go(i.receive)
	i.loops.Go(i.watch)
}

// Close ends the calls that others still answer, waits for those that are answered for others, gives all back
// that this instance owns, for 3 s at most, and says that it is no more.
func (i *Instance) Close() {
	if !i.close() {
		return
	}
	i.endCalls(errClosed, func(string) bool { return true })
	late := time.AfterFunc(farewell, i.endServed) // someone's client does not read
	i.serving.Wait()
	late.Stop()
	for until := time.Now().Add(farewell); i.pending() && !i.down.Load() && time.Now().Before(until); {
		rouse(i.outgo)
		select {
		case <-i.sent():
		case <-time.After(watchPause):
		}
	}
	i.cancel()
	i.loops.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	i.giveBack(ctx)
	if err := i.store.bury(ctx, i.name); err != nil {
		i.log.Debug("cannot tell other instances that this one has ended", "error", err)
	}
}

func (i *Instance) close() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.closed
	i.closed = true
	return !was
}

// pending reports whether there is something to send.
func (i *Instance) pending() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.queue) > 0
}

// sent returns what is closed when the queue has been taken.
func (i *Instance) sent() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.drained
}

// Figures are of an Instance.
type Figures struct {
	Owned     int   // sessions
	Forwarded int64 // calls that others have answered, since the start
	Answered  int64 // calls of others
}

// Figures returns those of now.
func (i *Instance) Figures() Figures {
	i.mu.Lock()
	owned := len(i.claims)
	i.mu.Unlock()
	return Figures{Owned: owned, Forwarded: i.forwarded.Load(), Answered: i.answered.Load()}
}

func rouse(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// live says that this instance is alive, again and again, and sees to what it owns.
func (i *Instance) live() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var failing time.Time // since when; zero if it does not
	told := time.Time{}   // when all claims were told
	for first := true; ; first = false {
		ctx, cancel := context.WithTimeout(i.ctx, dialTimeout) // the first one has to connect
		was, age, err := i.store.sayAlive(ctx, i.name)
		cancel()
		if first {
			close(i.said)
		}
		switch {
		case i.ctx.Err() != nil:
			return
		case err != nil:
			i.settled.Store(false)
			if failing.IsZero() {
				failing = time.Now()
			}
			if time.Since(failing) >= patience {
				i.lose(err)
			}
		default:
			if i.down.Swap(false) {
				i.log.Info("Redis is reachable again: calls reach sessions on other instances")
			}
			i.settled.Store(age >= settle)
			lapsed := !was && !first || !failing.IsZero()
			failing = time.Time{}
			if lapsed || time.Since(told) >= claimLife/3 {
				told = time.Now()
				i.doubt()
			}
		}
		if err == nil {
			i.tell()
		}
		select {
		case <-ticker.C:
		case <-i.chore:
		case <-i.ctx.Done():
			return
		}
	}
}

// lose says that Redis does not answer: what waits for other instances ends.
func (i *Instance) lose(err error) {
	if !i.down.Swap(true) {
		i.log.Warn("cannot reach Redis: calls cannot reach sessions on other instances", "error", err)
	}
	i.dropQueue()
	i.endCalls(errDown, func(string) bool { return true })
}

// watch ends calls whose other instance has ended.
func (i *Instance) watch() {
	ticker := time.NewTicker(watchPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-i.ctx.Done():
			return
		}
		for _, peer := range i.busyPeers() {
			ctx, cancel := context.WithTimeout(i.ctx, askTimeout)
			alive, err := i.store.alive(ctx, peer)
			cancel()
			if err == nil && !alive {
				i.log.Info("another instance ended with calls in flight", "instance", peer)
				i.forgetPeer(peer)
				i.endCalls(errPeer, func(name string) bool { return name == peer })
			}
		}
	}
}

// busyPeers are the instances that answer calls of ours, or whose calls we answer.
func (i *Instance) busyPeers() (peers []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	seen := map[string]bool{}
	for _, c := range i.calls {
		seen[c.to] = true
	}
	for key := range i.served {
		seen[key.from] = true
	}
	for peer := range seen {
		peers = append(peers, peer)
	}
	return peers
}

// endServed ends what is still answered for others.
func (i *Instance) endServed() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.served {
		s.cancel(errClosed)
	}
}

// endCalls ends calls with the instances that which names.
func (i *Instance) endCalls(why error, which func(peer string) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.calls {
		if which(c.to) {
			c.answer.fail(why)
		}
	}
	if why == errClosed {
		return // those that we answer are about to be
	}
	for key, s := range i.served {
		if which(key.from) {
			s.cancel(why)
		}
	}
}
