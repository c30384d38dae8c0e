package session

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// maxFates bounds how many ids a ledger holds. Beyond that the oldest entry goes: of a session that
// is over its id could then be used again until it is too old, and one that sleeps may sleep longer.
const maxFates = 1 << 16

// A ledger remembers what became of sessions that are here no longer but whose ids would still open:
// those that are over, and those that sleep. It holds digests of ids and nothing else of a session,
// less than 100 bytes each: most sessions end here.
type ledger struct {
	mu    sync.Mutex
	fates map[digest]fate
	order []entry // of their writing, with those that a later one replaced
	count int     // of entries that were ever written
}

// A fate is what became of a session: it sleeps until wakes, and is over from then on. What is
// remembered of it ends with until, when the id itself is too old.
type fate struct {
	wakes, until int64 // Unix nanoseconds
	number       int   // of its entry
}

type entry struct {
	id     digest
	number int
}

// A digest stands for an id. Ids are sealed, so that nobody can look for two with the same digest,
// and among as many as a ledger holds they do not come up by chance.
type digest uint64

func newLedger() *ledger { return &ledger{fates: map[digest]fate{}} }

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte(id))
	return digest(binary.NativeEndian.Uint64(sum[:]))
}

// nanos is t in Unix nanoseconds; the zero Time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// write says that id is good until wakes, and not from then until until. A zero wakes is the past.
func (l *ledger) write(id string, wakes, until time.Time) {
	key := digestOf(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.fates[key] = fate{nanos(wakes), nanos(until), l.count}
	l.order = append(l.order, entry{key, l.count})
	now := time.Now().UnixNano()
	for len(l.order) > 0 {
		first := l.order[0]
		f := l.fates[first.id]
		if current := f.number == first.number; current && len(l.order) <= maxFates && now < f.until {
			return
		} else if current {
			delete(l.fates, first.id)
		}
		l.order = l.order[1:]
	}
}

// wake forgets that the session of id sleeps.
func (l *ledger) wake(id string) {
	key := digestOf(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().UnixNano() < l.fates[key].wakes {
		delete(l.fates, key)
	}
}

// over reports whether the session of id has ended here.
func (l *ledger) over(id string) bool {
	key, now := digestOf(id), time.Now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.fates[key]
	return ok && f.wakes <= now && now < f.until
}

// asleep counts the sessions that sleep.
func (l *ledger) asleep() (n int) {
	now := time.Now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.fates {
		if now < f.wakes {
			n++
		}
	}
	return n
}
