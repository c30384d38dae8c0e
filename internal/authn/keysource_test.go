package authn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An issuer is the far side of a keySource.
type issuer struct {
	mu      sync.Mutex
	kids    []string
	err     error
	delay   time.Duration
	fetches int
}

func (i *issuer) set(err error, kids ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kids, i.err = kids, err
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

func (i *issuer) fetch(context.Context) (keySet, error) {
	i.mu.Lock()
	i.fetches++
	kids, err, delay := i.kids, i.err, i.delay
	i.mu.Unlock()
	time.Sleep(delay) // in a synctest bubble
	if err != nil {
		return nil, err
	}
	set := keySet{}
	for _, kid := range kids {
		set = append(set, key{id: kid})
	}
	return set, nil
}

func (i *issuer) source() *keySource {
	env := Env{Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	return newKeySource("https://issuer", env, i.fetch)
}

// wantKey asks for a key and checks what becomes of it: "ok", "unknown" or "unavailable".
func wantKey(t *testing.T, s *keySource, kid, want string) {
	t.Helper()
	_, err := s.key(t.Context(), "RS256", kid)
	got := "ok"
	if passes(err) {
		got = "unavailable"
	} else if err != nil {
		got = "unknown"
	}
	if got != want {
		t.Errorf("key %s: %s (%v), want %s", kid, got, err, want)
	}
}

func TestT20OutageBeforeTheFirstKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{err: errors.New("connection refused")}
		s := i.source()
		start := time.Now()
		for range 600 {
			wantKey(t, s, "a", "unavailable")
			time.Sleep(time.Second)
		}
		if got := i.count(); got < 10 || got > 15 {
			t.Errorf("%d attempts in %v, want about one a minute after the first ones", got, time.Since(start))
		}
		i.set(nil, "a")
		time.Sleep(keysMaxPause)
		wantKey(t, s, "a", "ok")
	})
}

func TestT20LastGoodKeysServeForADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}}
		s := i.source()
		wantKey(t, s, "a", "ok")
		i.set(errors.New("503"))
		for range 24*60 - 1 {
			time.Sleep(time.Minute)
			wantKey(t, s, "a", "ok")
		}
		if got := i.count(); got > 1+24*12 {
			t.Errorf("%d attempts in a day, want one in five minutes at most", got)
		}
		time.Sleep(time.Minute)
		wantKey(t, s, "a", "unavailable")
		i.set(nil, "a")
		time.Sleep(keysUnknownPause)
		wantKey(t, s, "a", "ok")
	})
}

func TestT20SlowIssuerDelaysOneRequestOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}}
		s := i.source()
		wantKey(t, s, "a", "ok")
		time.Sleep(keysRefresh + keysJitter)
		i.mu.Lock()
		i.delay = fetchTimeout
		i.mu.Unlock()
		start := time.Now()
		go wantKey(t, s, "a", "ok")
		synctest.Wait()
		for range 100 {
			wantKey(t, s, "a", "ok")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the others waited for %v", took)
		}
		synctest.Wait()
		time.Sleep(2 * fetchTimeout)
	})
}

func TestT21NewAndWithdrawnKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}}
		s := i.source()
		wantKey(t, s, "a", "ok")
		time.Sleep(time.Minute)
		i.set(nil, "a", "b")
		wantKey(t, s, "b", "ok") // at once
		if got := i.count(); got != 2 {
			t.Errorf("%d fetches for a new key, want one more than the first", got)
		}
		i.set(nil, "b")
		time.Sleep(keysRefresh + keysJitter)
		wantKey(t, s, "a", "unknown") // withdrawn at the next refresh
		wantKey(t, s, "b", "ok")
		i.set(errors.New("503"))
		time.Sleep(keysRefresh + keysJitter)
		before := i.count()
		wantKey(t, s, "c", "unavailable") // perhaps new: nobody could say
		wantKey(t, s, "b", "ok")
		if got := i.count() - before; got != 1 {
			t.Errorf("%d fetches for one request, want 1", got)
		}
	})
}

func TestT22FloodOfUnknownKeysIsOneFetchInFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}}
		s := i.source()
		wantKey(t, s, "a", "ok")
		time.Sleep(time.Second)
		for n := range 10_000 {
			if n == 5000 {
				time.Sleep(keysUnknownPause)
			}
			if _, err := s.key(t.Context(), "RS256", fmt.Sprint("random", n)); err == nil {
				t.Fatal("found a key")
			}
		}
		if got := i.count(); got != 3 {
			t.Errorf("%d fetches, want the first and one for each five minutes", got)
		}
	})
}

func TestT23ThousandFirstRequestsFetchOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}, delay: time.Second}
		s := i.source()
		var wg sync.WaitGroup
		var found atomic.Int32
		for n := range 1000 {
			kid := "a"
			if n%2 == 1 {
				kid = fmt.Sprint("unknown", n)
			}
			wg.Go(func() {
				if _, err := s.key(t.Context(), "RS256", kid); err == nil {
					found.Add(1)
				}
			})
		}
		wg.Wait()
		if got := i.count(); got != 1 || found.Load() != 500 {
			t.Errorf("%d fetches, %d found; want 1 and 500", got, found.Load())
		}
	})
}

func TestT23FetchOutlivesTheRequestThatBeganIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{kids: []string{"a"}, delay: time.Second}
		s := i.source()
		gone, cancel := context.WithCancel(t.Context())
		go s.key(gone, "RS256", "a")
		synctest.Wait()
		cancel()
		start := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.key(impatient, "RS256", "a"); err == nil || time.Since(start) != time.Millisecond {
			t.Errorf("a caller who gave up: %v after %v", err, time.Since(start))
		}
		wantKey(t, s, "a", "ok")
		if got := i.count(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
	})
}

func TestT23FetchThatPanicsBlocksNobody(t *testing.T) {
	t.Parallel()
	s := newKeySource("https://issuer", Env{Now: time.Now, Logger: slog.New(slog.DiscardHandler)},
		func(context.Context) (keySet, error) { panic("broken") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		s.key(t.Context(), "RS256", "a")
	}()
	wantKey(t, s, "a", "unavailable")
}
