package message

import (
	"errors"
	"sync"
	"time"
)

// A Budget bounds the memory of all large messages of an app together. Only messages of more than
// one piece are charged, so that small ones pass whatever the large do.
//
// Nobody can take all of it. What a caller holds may never be more than what is left for everyone else, and what
// a server's callers hold together never more than three times that: one caller alone has half, one server
// three quarters, and a caller that comes after greedy holders finds as much room as the greediest has. (Switches
// share buffers in this way, by dynamic thresholds.)
type Budget struct {
	max  int64
	wait time.Duration // how long a charge waits for room

	mu      sync.Mutex
	used    int64
	callers map[account]int64 // bytes, of those that have any
	servers map[string]int64
	freed   chan struct{} // closed and replaced when something is freed and someone waits
}

// serverWeight is how many times what is left for others a server's callers may hold together.
const serverWeight = 3

// NewBudget returns a Budget of max bytes, which must be at least twice the largest message. A message waits for
// its share for at most wait.
func NewBudget(max int64, wait time.Duration) *Budget {
	return &Budget{max: max, wait: wait, callers: map[account]int64{}, servers: map[string]int64{}}
}

// An account is whose memory it is.
type account struct{ server, caller string }

// A Share is what the messages of one caller of one server may take of a Budget. Nil, and the zero value, are
// without a bound.
type Share struct {
	budget *Budget
	of     account
}

// Share returns the share of a caller of a server. It needs no closing; those of the same names are one.
func (b *Budget) Share(server, caller string) Share { return Share{b, account{server, caller}} }

// ErrNoMemory is what errors of a Budget are.
var ErrNoMemory = errors.New("no memory for a large message")

// A noRoomError says who has the memory.
type noRoomError string

func (e noRoomError) Error() string { return string(e) }

// Is makes it an ErrNoMemory.
func (e noRoomError) Is(target error) bool { return target == ErrNoMemory } //nolint:errorlint // by identity

const (
	errCaller = noRoomError("the large messages of this sender use all the memory that one sender may have")
	errServer = noRoomError("the large messages of this server and its callers use all the memory that one server may have")
	errAll    = noRoomError("large messages use all the memory that they may have")
	errIdle   = noRoomError("it arrived so slowly that others got its memory")
)

// Used is the number of bytes that are charged now.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// crowded reports whether more than half of the budget is in use.
func (s *Share) crowded() bool { return s.budget.Used() > s.budget.max/2 }

// roomLocked is nil if there is room for n more bytes of s.
func (s *Share) roomLocked(n int64) error {
	b := s.budget
	left := b.max - b.used - n
	switch {
	case left < 0:
		return errAll
	case b.callers[s.of]+n > left:
		return errCaller
	case b.servers[s.of.server]+n > serverWeight*left:
		return errServer
	}
	return nil
}

// take charges n bytes, or says why there was no room for them in time.
func (s *Share) take(n int64) error {
	b := s.budget
	var late *time.Timer
	for {
		b.mu.Lock()
		err := s.roomLocked(n)
		if err == nil {
			b.used += n
			b.callers[s.of] += n
			b.servers[s.of.server] += n
			b.mu.Unlock()
			return nil
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
			return err
		}
	}
}

func (s *Share) give(n int64) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	less(b.callers, s.of, n)
	less(b.servers, s.of.server, n)
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// less takes n from what m has for key, and forgets key at zero.
func less[K comparable](m map[K]int64, key K, n int64) {
	if m[key] -= n; m[key] == 0 {
		delete(m, key)
	}
}
