package session

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxFates bounds how many ids a ledger holds. Beyond that the oldest entry goes: of a session that
// is over its id could then be used again until it is too old, and one that sleeps may sleep longer.
const maxFates = 1 << 16

// A ledger remembers what became of sessions that are here no longer but whose ids would still open:
// those that are over, and those that sleep. It holds digests of ids and nothing else of a session.
type ledger struct {
	mu    sync.Mutex
	fates map[[16]byte]fate
	order []entry // of their writing, with those that a later one replaced
	count int     // of entries that were ever written
}

// A fate is what became of a session: it sleeps until wakes, and is over from then on. What is
// remembered of it ends with until, when the id itself is too old.
type fate struct {
	wakes, until time.Time
	number       int // of its entry
}

type entry struct {
	id     [16]byte
	number int
}

func newLedger() *ledger { return &ledger{fates: map[[16]byte]fate{}} }

func digestID(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:])
}

// write says that id is good until wakes, and not from then until until. A zero wakes is the past.
func (l *ledger) write(id string, wakes, until time.Time) {
	key := digestID(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.fates[key] = fate{wakes, until, l.count}
	l.order = append(l.order, entry{key, l.count})
	now := time.Now()
	for len(l.order) > 0 {
		first := l.order[0]
		f := l.fates[first.id]
		if current := f.number == first.number; current && len(l.order) <= maxFates && now.Before(f.until) {
			return
		} else if current {
			delete(l.fates, first.id)
		}
		l.order = l.order[1:]
	}
}

// wake forgets that the session of id sleeps.
func (l *ledger) wake(id string) {
	key := digestID(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.fates[key].wakes) {
		delete(l.fates, key)
	}
}

// over reports whether the session of id has ended here.
func (l *ledger) over(id string) bool {
	key, now := digestID(id), time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.fates[key]
	return ok && !now.Before(f.wakes) && now.Before(f.until)
}

// asleep counts the sessions that sleep.
func (l *ledger) asleep() (n int) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.fates {
		if now.Before(f.wakes) {
			n++
		}
	}
	return n
}
