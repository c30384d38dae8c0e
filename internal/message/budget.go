package message

import (
	"sync"
	"time"
)

// A Budget bounds the memory of all large messages of an app together. Only messages of more than
// one piece are charged, so that small ones pass whatever the large do.
type Budget struct {
	max  int64
	wait time.Duration // how long a charge waits for room

	mu    sync.Mutex
	used  int64
	freed chan struct{} // closed and replaced when something is freed and somebody waits
}

// NewBudget returns a Budget of max bytes. A message waits for its share for at most wait; then it
// is treated as one that is too large.
func NewBudget(max int64, wait time.Duration) *Budget {
	return &Budget{max: max, wait: wait}
}

// Used is the number of bytes that are charged now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// take charges n bytes, and reports false if there is no room for them in time.
func (b *Budget) take(n int64) bool {
	var late *time.Timer
	for {
		b.mu.Lock()
		if b.used+n <= b.max {
			b.used += n
			b.mu.Unlock()
			return true
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		if late == nil {
			late = time.NewTimer(b.wait)
			defer late.Stop()
		}
		select {
		case <-freed:
		case <-late.C:
			return false
		}
	}
}

func (b *Budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}
