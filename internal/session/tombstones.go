package session

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/recent"
)

// maxTombstones bounds how many ids are remembered. Beyond that the oldest entry goes: of a session that
// is over its id could then be used again until it is too old, and one that hibernates may hibernate longer.
const maxTombstones = 1 << 16

// tombstones say what became of sessions that are here no longer but whose ids would still open:
// those that are over, and those that hibernate. It holds digests of ids and nothing else of a session,
// less than 100 bytes each: most sessions end here.
type tombstones struct {
	mu   sync.Mutex
	over recent.Map[digest, int64] // since when, or from when on, a session is over, in Unix nanoseconds, until its id itself is too old
}

// A digest represents an ID. IDs are sealed, so that a client cannot search for two with the same digest,
// and among as many as are remembered they do not come up by chance.
type digest uint64

func newTombstones() *tombstones {
	return &tombstones{over: recent.Map[digest, int64]{Max: maxTombstones}}
}

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte(id))
	return digest(binary.NativeEndian.Uint64(sum[:]))
}

// write says that the session of id hibernates until over, and is over from then on until until, when the id is
// too old. A zero over is the past.
func (t *tombstones) write(id string, over, until time.Time) {
	var nanos int64
	if !over.IsZero() {
		nanos = over.UnixNano()
	}
	key := digestOf(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over.Put(key, nanos, until)
}

// wake forgets that the session of id hibernates.
func (t *tombstones) wake(id string) {
	key := digestOf(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if over, ok := t.over.Get(key); ok && time.Now().UnixNano() < over {
		t.over.Delete(key)
	}
}

// isOver reports whether the session of id has ended here.
func (t *tombstones) isOver(id string) bool {
	key := digestOf(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	over, ok := t.over.Get(key)
	return ok && over <= time.Now().UnixNano()
}

// asleep counts the sessions that hibernate.
func (t *tombstones) asleep() (n int) {
	now := time.Now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, over := range t.over.All {
		if now < over {
			n++
		}
	}
	return n
}
