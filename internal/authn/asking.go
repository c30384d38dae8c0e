package authn

import (
	"context"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// The rate at which the provider is asked about unknown tokens. Only refusals count: a caller with valid tokens is
// never held up by his own, however many he has.
const (
	sourceBurst = 20  // refusals of one source at once
	sourceRate  = 1   // and then a second
	totalBurst  = 100 // of all sources together
	totalRate   = 10

	maxAsking       = 32 // requests under way to the provider
	maxSourceAsking = 24 // of one source, which may be all clients where no proxy names them
	maxSources      = 1024
)

// asking paces the requests to an identity provider, so that random tokens do not become its load, nor a source
// of them everyone's trouble. It may be used from many goroutines at once.
type asking struct {
	now func() time.Time
	all chan struct{} // holds maxAsking

	mu      sync.Mutex
	total   pace.Bucket
	sources map[string]*asker // at most maxSources, and one for all others
}

// An asker is a source that asks, or has asked.
type asker struct {
	slots   chan struct{} // holds maxSourceAsking
	users   int           // that have it in hand
	refused pace.Bucket
}

func newAsking(now func() time.Time) *asking {
	return &asking{
		now: now, all: make(chan struct{}, maxAsking),
		total: pace.Bucket{Burst: totalBurst, Rate: totalRate}, sources: map[string]*asker{},
	}
}

// begin waits for its turn to ask for a source. A token that was good before is not paced. done is called with
// whether the provider has refused the token.
func (a *asking) begin(ctx context.Context, source string, known bool) (done func(refused bool), err error) {
	s := a.enter(source)
	defer func() {
		if err != nil {
			a.leave(s)
		}
	}()
	if err := take(ctx, s.slots); err != nil {
		return nil, err
	}
	if err := take(ctx, a.all); err != nil {
		<-s.slots
		return nil, err
	}
	if wait := a.wait(s); wait > 0 && !known {
		<-a.all
		<-s.slots
		return nil, hurried(wait)
	}
	return func(refused bool) {
		if refused {
			a.charge(s)
		}
		<-a.all
		<-s.slots
		a.leave(s)
	}, nil
}

// take takes a place in slots.
func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unavailable(time.Second, errTooMany)
	}
}

// enter returns the asker of a source; one is shared by those for which there is no room.
func (a *asking) enter(source string) *asker {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sources[source]
	if s == nil && len(a.sources) >= maxSources {
		a.sweepLocked()
		if len(a.sources) >= maxSources {
			source = ""
			s = a.sources[source]
		}
	}
	if s == nil {
		s = &asker{slots: make(chan struct{}, maxSourceAsking), refused: pace.Bucket{Burst: sourceBurst, Rate: sourceRate}}
		a.sources[source] = s
	}
	s.users++
	return s
}

// sweepLocked forgets sources of which there is nothing to know.
func (a *asking) sweepLocked() {
	now := a.now()
	for source, s := range a.sources {
		if s.users == 0 && s.refused.Full(now) {
			delete(a.sources, source)
		}
	}
}

func (a *asking) leave(s *asker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.users--
}

// wait is how long s, or everyone, has to wait.
func (a *asking) wait(s *asker) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	return max(s.refused.Wait(now), a.total.Wait(now))
}

func (a *asking) charge(s *asker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	s.refused.Charge(now)
	a.total.Charge(now)
}
