package session

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// maxTombstones bounds how many ids are remembered. Beyond that the oldest entry goes: of a session that
// is over its id could then be used again until it is too old, and one that hibernates may hibernate longer.
const maxTombstones = 1 << 16

// tombstones say what became of sessions that are here no longer but whose ids would still open:
// those that are over, and those that hibernate. It holds digests of ids and nothing else of a session,
// less than 100 bytes each: most sessions end here.
type tombstones struct {
	mu    sync.Mutex
	byID  map[digest]tombstone
	order []written // with those that a later one replaced
	count int       // that were ever written
}

// A tombstone is what became of a session: it hibernates until over, and is over from then on. What is
// remembered of it ends with until, when the id itself is too old.
type tombstone struct {
	over, until int64 // Unix nanoseconds
	number      int   // in the order of writing
}

type written struct {
	id     digest
	number int
}

// A digest represents an ID. IDs are sealed, so that a client cannot search for two with the same digest,
// and among as many as are remembered they do not come up by chance.
type digest uint64

func newTombstones() *tombstones { return &tombstones{byID: map[digest]tombstone{}} }

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte(id))
	return digest(binary.NativeEndian.Uint64(sum[:]))
}

// nanos is at in Unix nanoseconds; the zero Time is 0.
func nanos(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}

// write says that the session of id hibernates until over, and is over from then on until until, when the id is
// too old. A zero over is the past.
func (t *tombstones) write(id string, over, until time.Time) {
	key := digestOf(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.byID[key] = tombstone{nanos(over), nanos(until), t.count}
	t.order = append(t.order, written{key, t.count})
	now := time.Now().UnixNano()
	for len(t.order) > 0 {
		first := t.order[0]
		f := t.byID[first.id]
		if current := f.number == first.number; current && len(t.order) <= maxTombstones && now < f.until {
			return
		} else if current {
			delete(t.byID, first.id)
		}
		t.order = t.order[1:]
	}
}

// wake forgets that the session of id hibernates.
func (t *tombstones) wake(id string) {
	key := digestOf(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().UnixNano() < t.byID[key].over {
		delete(t.byID, key)
	}
}

// over reports whether the session of id has ended here.
func (t *tombstones) over(id string) bool {
	key, now := digestOf(id), time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.byID[key]
	return ok && f.over <= now && now < f.until
}

// asleep counts the sessions that hibernate.
func (t *tombstones) asleep() (n int) {
	now := time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.byID {
		if now < f.over {
			n++
		}
	}
	return n
}
