package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// The schedule is Microsoft's for signing keys: refresh every hour, ask again for a key that is not
// known at most every five minutes, and when the issuer cannot be reached work on with the last
// good set, for a day at most. After that the answer is 503 and not 401: a client that is told to
// get another token gets one, and is no better off.
const (
	keysTTL          = 24 * time.Hour
	keysRefresh      = time.Hour
	keysJitter       = 6 * time.Minute // so that many instances do not ask at once
	keysUnknownPause = 5 * time.Minute // also between attempts while an old set still serves
	keysFirstPause   = 5 * time.Second // between attempts before there is any set, doubling
	keysMaxPause     = time.Minute
)

// A keySource keeps one issuer's key set fresh. There is no goroutine behind it: the request that
// finds the set due refreshes it, while all others work on with the old one. Without a usable set
// they wait for that request's outcome. It may be used from many goroutines at once.
type keySource struct {
	fetch func(context.Context) (keySet, error)
	now   func() time.Time
	log   *slog.Logger
	name  string // for errors and the log

	mu       sync.Mutex
	set      keySet
	fetched  time.Time     // when set was
	tried    time.Time     // when the latest attempt ended
	due      time.Time     // no scheduled attempt before
	forced   time.Time     // no attempt for an unknown key before
	pause    time.Duration // before the next attempt, while there has been no set
	lastErr  error         // of the latest attempt; nil if it went well
	inFlight chan struct{} // closed when the running attempt ends; nil if none runs
}

func newKeySource(name string, env Env, fetch func(context.Context) (keySet, error)) *keySource {
	return &keySource{fetch: fetch, now: env.Now, log: env.Logger, name: name, pause: keysFirstPause}
}

// key returns the key for a token. It is an *Error with a RetryAfter when that cannot be known, and any
// other error when the issuer has no such key.
func (s *keySource) key(ctx context.Context, alg, kid string) (key, error) {
	began := s.now()
	set, err := s.current(ctx)
	if err != nil {
		return key{}, err
	}
	if k, ok := set.find(alg, kid); ok {
		return k, nil
	}
	if set, err = s.newer(ctx, began); err != nil {
		return key{}, err
	}
	if k, ok := set.find(alg, kid); ok {
		return k, nil
	}
	return key{}, fmt.Errorf("no key %s in %s", printable(kid), s.name)
}

// current returns a usable set, fetching one if it must.
func (s *keySource) current(ctx context.Context) (keySet, error) {
	s.mu.Lock()
	now := s.now()
	set, usable := s.set, s.usable(now)
	switch {
	case usable && (now.Before(s.due) || s.inFlight != nil):
		s.mu.Unlock()
		return set, nil
	case !usable && s.inFlight == nil && now.Before(s.due):
		defer s.mu.Unlock()
		return nil, s.unavailable(now)
	}
	if err := s.attempt(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.now()
	if !s.usable(now) {
		return nil, s.unavailable(now)
	}
	return s.set, nil
}

// newer returns a set asked for since began, or the one there is if it is too early to ask again.
func (s *keySource) newer(ctx context.Context, began time.Time) (keySet, error) {
	s.mu.Lock()
	now := s.now()
	switch {
	case s.inFlight != nil:
	case !s.tried.Before(began), now.Before(s.forced):
		defer s.mu.Unlock()
		if s.lastErr != nil {
			// The key may be one that we could not hear of.
			return nil, s.unavailable(now)
		}
		return s.set, nil
	default:
		s.forced = now.Add(keysUnknownPause)
	}
	if err := s.attempt(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastErr != nil {
		return nil, s.unavailable(s.now())
	}
	return s.set, nil
}

func (s *keySource) usable(now time.Time) bool {
	return s.set != nil && now.Before(s.fetched.Add(keysTTL))
}

func (s *keySource) unavailable(now time.Time) error {
	return unavailable(max(s.due.Sub(now), time.Second), fmt.Errorf("keys of %s: %w", s.name, s.lastErr))
}

// attempt fetches the set, or waits for the caller that is fetching it. It is called with s.mu held and returns
// with it released. Its error is that the caller went away; how the fetch went is in s.
func (s *keySource) attempt(ctx context.Context) error {
	if running := s.inFlight; running != nil {
		s.mu.Unlock()
		select {
		case <-running:
			return nil
		case <-ctx.Done():
			return unavailable(time.Second, fmt.Errorf("keys of %s: %w", s.name, ctx.Err()))
		}
	}
	done := make(chan struct{})
	s.inFlight = done
	s.mu.Unlock()

	set, err := keySet(nil), errors.New("fetch panicked")
	defer func() { // even so, as others wait
		s.finish(set, err)
		close(done)
	}()
	// Others wait for this, so the caller's going away does not end it; fetchTimeout does.
	set, err = s.fetch(context.WithoutCancel(ctx))
	return nil
}

func (s *keySource) finish(set keySet, err error) {
	s.mu.Lock()
	now := s.now()
	s.inFlight, s.tried, s.lastErr = nil, now, err
	switch {
	case err == nil:
		s.set, s.fetched, s.pause = set, now, keysFirstPause
		s.due = now.Add(keysRefresh + rand.N(keysJitter))
	case s.usable(now):
		s.due = now.Add(keysUnknownPause)
	default:
		s.due = now.Add(s.pause)
		s.pause = min(2*s.pause, keysMaxPause)
	}
	s.mu.Unlock()
	if err != nil {
		s.log.Warn("cannot refresh signing keys", "issuer", s.name, "error", err)
	}
}
