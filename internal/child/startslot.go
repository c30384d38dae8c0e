package child

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// startSlots limits how many processes start at a time, over all servers. Of a package runner that has
// not succeeded yet there is one start at a time: it downloads, and the others find the work done.
//
// A server whose processes do not answer holds its slots for as long as a start may take. So there are a few more
// than the limit, for servers that have none.
type startSlots struct {
	limit   int
	waiting atomic.Int64 // in acquire

	mu    sync.Mutex
	used  int
	held  map[string]int         // by server, of those that have any
	queue []*slotWait            // the longest wait first
	first map[string]*firstStart // by Spec.Runner
}

// reserve is how many slots there are beyond the limit.
func (s *startSlots) reserve() int { return max(1, s.limit/4) }

// A slotWait is a start that waits for a slot.
type slotWait struct {
	server string
	given  chan struct{} // closed when it has one
}

// firstStart is the first start of what a runner runs.
type firstStart struct {
	warm bool          // one has succeeded; guarded by startSlots.mu
	lead chan struct{} // held by the one who starts; capacity 1
}

func newStartSlots(limit int) *startSlots {
	return &startSlots{limit: limit, held: map[string]int{}, first: map[string]*firstStart{}}
}

// A startSlot is permission to start a process. release gives it on, once the process has answered (ok)
// or failed to. The zero startSlot needs no release.
type startSlot struct {
	s    *startSlots
	of   string      // the server
	f    *firstStart // nil if this is not a first start
	once sync.Once
}

// acquire returns when there is a slot for a process of server, or with ctx's error.
func (s *startSlots) acquire(ctx context.Context, server, runner string) (*startSlot, error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	t := &startSlot{s: s, of: server}
	if f := s.firstOf(runner); f != nil {
		select {
		case f.lead <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if s.warm(runner) {
			<-f.lead
		} else {
			t.f = f
		}
	}
	w := s.ask(server)
	select {
	case <-w.given:
		return t, nil
	case <-ctx.Done():
	}
	if !s.leave(w) {
		s.giveBack(server)
	}
	if t.f != nil {
		<-t.f.lead
	}
	return nil, ctx.Err()
}

// ask makes a start wait for a slot, which it may have at once.
func (s *startSlots) ask(server string) *slotWait {
	w := &slotWait{server: server, given: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, w)
	s.serveLocked()
	return w
}

// leave takes a start out of the queue, and reports false if it has been given a slot.
func (s *startSlots) leave(w *slotWait) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, w)
	if i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
	}
	return i >= 0
}

// serveLocked gives the slots that are free to those who may have them.
func (s *startSlots) serveLocked() {
	s.queue = slices.DeleteFunc(s.queue, func(w *slotWait) bool {
		if s.used >= s.limit && (s.held[w.server] > 0 || s.used >= s.limit+s.reserve()) {
			return false
		}
		s.used++
		s.held[w.server]++
		close(w.given)
		return true
	})
}

func (s *startSlots) giveBack(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.held[server]--; s.held[server] == 0 {
		delete(s.held, server)
	}
	s.serveLocked()
}

func (t *startSlot) release(ok bool) {
	if t.s == nil {
		return
	}
	t.once.Do(func() {
		t.s.giveBack(t.of)
		if t.f != nil {
			t.s.mu.Lock()
			t.f.warm = t.f.warm || ok
			t.s.mu.Unlock()
			<-t.f.lead
		}
	})
}

// warm reports whether what runner runs has been started with success.
func (s *startSlots) warm(runner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.first[runner]
	return runner == "" || f != nil && f.warm
}

// firstOf returns what is known of the first start, or nil when it need not be waited for.
func (s *startSlots) firstOf(runner string) *firstStart {
	s.mu.Lock()
	defer s.mu.Unlock()
	if runner == "" {
		return nil
	}
	f := s.first[runner]
	if f == nil {
		f = &firstStart{lead: make(chan struct{}, 1)}
		s.first[runner] = f
	}
	if f.warm {
		return nil
	}
	return f
}
