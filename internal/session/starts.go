package session

import (
	"context"
	"sync"
	"time"
)

// starts limits how many processes start at a time, over all servers. Of a package runner that has
// not succeeded yet there is one start at a time: it downloads, and the others find the work done.
type starts struct {
	slots chan struct{} // capacity: the limit

	mu    sync.Mutex
	first map[string]*first // by Server.Runner
}

// first is the first start of what a runner runs.
type first struct {
	warm bool          // one has succeeded; guarded by starts.mu
	lead chan struct{} // held by the one who starts; capacity 1
}

func newStarts(limit int) *starts {
	return &starts{slots: make(chan struct{}, limit), first: map[string]*first{}}
}

// A turn is leave to start a process. done gives it on, once the process has answered (ok) or has
// not. The zero turn was none.
type turn struct {
	s    *starts
	f    *first // nil if this is not a first start
	once sync.Once
}

// wait returns when it is the caller's turn, or with ctx's error.
func (s *starts) wait(ctx context.Context, runner string) (*turn, error) {
	t := &turn{s: s}
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

func (t *turn) done(ok bool) {
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
func (s *starts) warm(runner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.first[runner]
	return runner == "" || f != nil && f.warm
}

// patience is how long a start of what runner runs may go on after its caller has given up: while
// it may be downloading.
func (s *starts) patience(runner string) time.Duration {
	if s.warm(runner) {
		return 0
	}
	return runnerTimeout
}

// firstOf returns what is known of the first start, or nil when it need not be waited for.
func (s *starts) firstOf(runner string) *first {
	s.mu.Lock()
	defer s.mu.Unlock()
	if runner == "" {
		return nil
	}
	f := s.first[runner]
	if f == nil {
		f = &first{lead: make(chan struct{}, 1)}
		s.first[runner] = f
	}
	if f.warm {
		return nil
	}
	return f
}
