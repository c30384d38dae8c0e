package child

import (
	"sync/atomic"
	"time"
)

// stallTimeout is how long a process may take to read what is written to it.
const stallTimeout = 15 * time.Second

// A stall watches writes, of which one goes on at a time, and says when one takes longer than
// stallTimeout. Most take microseconds, so that nothing is set for one and taken back after it: a
// clock that runs anyway checks now and then whether there is a write, and stops when no write is running.
type stall struct {
	made    time.Time    // before every write
	late    func()       // called, in a goroutine of its own, when a write does not end
	since   atomic.Int64 // when the write began, in nanoseconds after made, plus one; zero while no write runs
	running atomic.Bool  // the clock
	clock   atomic.Pointer[time.Timer]
}

// begin says that a write begins.
func (s *stall) begin() {
	s.since.Store(int64(time.Since(s.made)) + 1)
	if s.running.CompareAndSwap(false, true) {
		s.clock.Store(time.AfterFunc(stallTimeout, s.check))
	}
}

// end says that it has ended.
func (s *stall) end() { s.since.Store(0) }

// check is what the clock does.
func (s *stall) check() {
	s.running.Store(false) // before it is checked: who begins after it starts another clock
	since := s.since.Load()
	if since == 0 {
		return
	}
	left := stallTimeout - (time.Since(s.made) - time.Duration(since))
	if left <= 0 {
		s.late()
		return
	}
	if s.running.CompareAndSwap(false, true) {
		s.clock.Store(time.AfterFunc(left, s.check))
	}
}

// stop ends the clock, which would hold what it watches in memory until it came.
func (s *stall) stop() {
	if clock := s.clock.Load(); clock != nil {
		clock.Stop()
	}
}
