package revocation

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxLocal bounds what one instance remembers: 5 MB, or a DELETE a second for four hours.
const maxLocal = 1 << 14

// local remembers in memory. When it is full the oldest goes first, as it has the least time left
// where all ids have the same.
type local struct {
	max int
	log *slog.Logger

	mu    sync.Mutex
	until map[digest]time.Time
	order []digest // as they came
}

func newLocal(max int, log *slog.Logger) *local {
	return &local{max: max, log: log, until: map[digest]time.Time{}}
}

func (l *local) Revoke(_ context.Context, id string, until time.Time) error {
	l.add(digestOf(id), until)
	return nil
}

func (l *local) add(d digest, until time.Time) {
	now := time.Now()
	if !until.After(now) {
		return
	}
	if l.insert(d, until, now) {
		l.log.Warn("a revoked session id was forgotten before its time, because too many are remembered", "limit", l.max)
	}
}

// insert says whether one that had time left made room.
func (l *local) insert(d digest, until, now time.Time) (lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, known := l.until[d]; known {
		if until.After(before) {
			l.until[d] = until
		}
		return false
	}
	for len(l.order) > 0 && (len(l.order) >= l.max || !l.until[l.order[0]].After(now)) {
		lost = lost || l.until[l.order[0]].After(now)
		delete(l.until, l.order[0])
		l.order = l.order[1:]
	}
	l.until[d] = until
	l.order = append(l.order, d)
	return lost
}

func (l *local) Revoked(_ context.Context, id string) (bool, error) {
	return l.has(digestOf(id)), nil
}

func (l *local) has(d digest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until[d].After(time.Now())
}

// Watch has nobody to listen to.
func (l *local) Watch(ctx context.Context, _ func() []string, _ func(string)) { <-ctx.Done() }

func (l *local) Close() error { return nil }
