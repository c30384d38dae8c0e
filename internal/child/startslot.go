package child

import (
	"context"
	"sync"
	"sync/atomic"
)

// startSlots limits how many processes start at a time, over all servers. Of a package runner that has
// not succeeded yet there is one start at a time: it downloads, and the others find the work done.
type startSlots struct {
	slots   chan struct{} // capacity: the limit
	waiting atomic.Int64  // in acquire

	mu    sync.Mutex
	first map[string]*firstStart // by Spec.Runner
}

// firstStart is the first start of what a runner runs.
type firstStart struct {
	warm bool          // one has succeeded; guarded by startSlots.mu
	lead chan struct{} // held by the one who starts; capacity 1
}

func newStartSlots(limit int) *startSlots {
	return &startSlots{slots: make(chan struct{}, limit), first: map[string]*firstStart{}}
}

// A startSlot is permission to start a process. release gives it on, once the process has answered (ok)
// or has not. The zero startSlot needs no release.
type startSlot struct {
	s    *startSlots
	f    *firstStart // nil if this is not a first start
	once sync.Once
}

// acquire returns when there is a slot for the caller, or with ctx's error.
func (s *startSlots) acquire(ctx context.Context, runner string) (*startSlot, error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	t := &startSlot{s: s}
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
	select {
	case s.slots <- struct{}{}:
		return t, nil
	case <-ctx.Done():
		if t.f != nil {
			<-t.f.lead
		}
		return nil, ctx.Err()
	}
}

func (t *startSlot) release(ok bool) {
	if t.s == nil {
		return
	}
	t.once.Do(func() {
		<-t.s.slots
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
