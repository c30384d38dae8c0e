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

	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/recent"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// An instance that dies is considered dead within 6 s: SignOfLife after its last report, by the clock of Redis, plus
// watchPause.
const (
	beat       = time.Second            // between the reports of an instance that it is alive
	SignOfLife = 5 * time.Second        // how long a report is good
	watchPause = 500 * time.Millisecond // between questions whether the instances of calls in flight are alive
	pingEvery  = 4                      // of these pauses: whether an entry was lost
	patience   = time.Second            // with a Redis that does not answer, before calls to other instances fail
	farewell   = 3 * time.Second        // for each of the two steps in which Close waits
	closePause = 5 * time.Millisecond   // between its looks at the queue
)

// Bounds of what one instance keeps for the others.
const (
	maxCalls    = 4096     // of this instance to others, and as many of others to this one
	maxQueued   = 16 << 20 // bytes of bodies that wait to be sent; a writer with more waits
	maxUnread   = 64 << 20 // bytes of bodies that have arrived and were not read; beyond that, calls end
	maxOwners   = 4096     // that are remembered, with as many instances
	maxReleases = 4096     // of sessions, that Redis was not told yet
	ownerKnown  = 10 * time.Second
	peerKnown   = time.Second
)

var (
	errDown   = errors.New("cannot reach Redis")
	errClosed = errors.New("the app is shutting down")
	errPeer   = errors.New("the other instance has ended")
	errUnread = errors.New("too many bytes from other instances wait to be read")
	errMissed = errors.New("Redis has lost messages between the instances")
)

// An Instance is one instance of an app as the others know it. It owns sessions, forwards calls to the owners of other
// sessions, and answers the calls that others forward to it. Its methods may be called from any goroutine.
type Instance struct {
	store *Store
	log   *slog.Logger
	name  string // random, of this process only: 80 bits
	serve func(http.ResponseWriter, *http.Request, Passed)

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	serving sync.WaitGroup
	outgo   chan struct{} // there is something to send; capacity 1
	said    chan struct{} // closed after the first report that this instance is alive, whether it succeeded or not
	chore   chan struct{} // there is a session to release; capacity 1

	shaky   atomic.Bool // the mailbox cannot be read: what is remembered of others may be out of date
	down    atomic.Bool // Redis has not answered for longer than patience
	settled atomic.Bool // Redis has been up for long enough: see settle

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
	owners   recent.Map[string, string]   // of sessions, as Redis has named them
	peers    recent.Map[string, struct{}] // that were alive a moment ago
	closed   bool
}

type outgoing struct {
	to string
	e  *entry
}

// Passed is the caller of a request that another instance forwards, as that instance has verified it. The receiver
// verifies it again.
type Passed struct{ Principal, Client string }

// NewInstance returns an Instance that seals its messages with keys. Start and Close must be called.
func NewInstance(store *Store, keys *ticket.Keys, log *slog.Logger) *Instance {
	i := &Instance{
		store: store, log: log, name: strings.ToLower(rand.Text()[:16]),
		outgo: make(chan struct{}, 1), chore: make(chan struct{}, 1), said: make(chan struct{}), drained: make(chan struct{}),
		calls: map[uint64]*call{}, served: map[servedKey]*served{}, claims: map[string]*claim{}, claiming: map[string]chan struct{}{},
		owners: recent.Map[string, string]{Max: maxOwners}, peers: recent.Map[string, struct{}]{Max: maxOwners},
	}
	store.keys = keys
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// Start makes this instance known to others. Each request that they forward is given to serve, in a goroutine of its own.
func (i *Instance) Start(serve func(http.ResponseWriter, *http.Request, Passed)) {
	i.serve = serve
	i.loops.Go(i.live)
	i.loops.Go(i.send)
	i.loops.Go(i.receive)
	i.loops.Go(i.watch)
}

// Close ends the calls that others still answer, waits for those of others for at most 3 s before it ends them, sends what
// is left for at most 3 s, releases what this instance owns, and tells the others that it has ended.
func (i *Instance) Close() {
	if !i.close() {
		return
	}
	i.endCalls(errClosed, "", false)
	late := time.AfterFunc(farewell, func() { i.endCalls(errClosed, "", true) }) // a client may not read
	i.serving.Wait()
	late.Stop()
	for until := time.Now().Add(farewell); i.pending() && !i.down.Load() && time.Now().Before(until); {
		_ = pace.Wait(i.ctx, closePause)
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

// Figures count what an Instance does.
type Figures struct {
	Owned     int   // sessions, now
	Forwarded int64 // calls to other instances, since the start
	Answered  int64 // calls of other instances, since the start
}

// Figures returns the current figures.
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

// live reports every beat that this instance is alive, and keeps the record of what it owns.
func (i *Instance) live() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var failing time.Time // since when Redis does not answer; zero if it does
	told := time.Time{}   // when all claims were last renewed; zero before Redis has answered
	for first := true; ; first = false {
		ctx, cancel := context.WithTimeout(i.ctx, dialTimeout) // the first report has to connect
		was, up, err := i.store.sayAlive(ctx, i.name)
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
			i.settled.Store(up >= settle)
			if told.IsZero() {
				i.store.warnOfEviction(i.ctx)
			}
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

// lose ends what waits for other instances, because Redis does not answer.
func (i *Instance) lose(err error) {
	if !i.down.Swap(true) {
		i.log.Warn("cannot reach Redis: calls cannot reach sessions on other instances", "error", err)
	}
	i.dropQueue()
	i.endCalls(errDown, "", true)
}

// watch ends the calls to and from instances that have ended, and finds out whether entries were lost.
func (i *Instance) watch() {
	ticker := time.NewTicker(watchPause)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ticker.C:
		case <-i.ctx.Done():
			return
		}
		for peer := range i.busyPeers() {
			if n%pingEvery == 0 {
				i.post(peer, &entry{kind: kindPing})
			}
			ctx, cancel := context.WithTimeout(i.ctx, askTimeout)
			alive, err := i.store.alive(ctx, peer)
			cancel()
			if err == nil && !alive && i.settled.Load() {
				i.log.Info("another instance ended with calls in flight", "instance", peer)
				i.forgetPeer(peer)
				i.endCalls(errPeer, peer, true)
			}
		}
	}
}

// busyPeers returns the instances with calls in flight to or from this one.
func (i *Instance) busyPeers() map[string]bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	peers := map[string]bool{}
	for _, c := range i.calls {
		peers[c.to] = true
	}
	for key := range i.served {
		peers[key.from] = true
	}
	return peers
}

// endCalls ends the calls to an instance, or to all if peer is empty, and with served also those from there.
func (i *Instance) endCalls(why error, peer string, served bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.calls {
		if peer == "" || c.to == peer {
			c.answer.fail(why)
		}
	}
	for key, s := range i.served {
		if served && (peer == "" || key.from == peer) {
			s.cancel(why)
		}
	}
}
