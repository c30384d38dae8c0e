package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// askedAbout returns verdicts by a provider that knows tokens which begin with "good", and how often it was asked.
func askedAbout(t *testing.T) (v *verdicts, asked *atomic.Int32) {
	asked = new(atomic.Int32)
	return newVerdicts(time.Now, func(_ context.Context, token string) (*Caller, error) {
		asked.Add(1)
		time.Sleep(50 * time.Millisecond)
		if strings.HasPrefix(token, "good") {
			return &Caller{Token: token}, nil
		}
		return nil, errors.New("not active")
	}), asked
}

// Random tokens once cost a request to the provider each.
func TestT22RandomTokensCostTheProviderLittle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sources, at int // at a time
		most        int32
	}{
		"one source, one after another": {1, 1, sourceBurst + 10 + 1},
		"one source, all at once":       {1, 200, sourceBurst + maxSourceAsking},
		"many sources":                  {200, 200, totalBurst + maxAsking},
	} {
		synctest.Test(t, func(t *testing.T) {
			v, asked := askedAbout(t)
			v.of(t.Context(), "office", "good-and-known")
			asked.Store(0)
			var busy atomic.Int32
			var all sync.WaitGroup
			slots := make(chan struct{}, test.at)
			for n := range 200 {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					_, err := v.of(t.Context(), fmt.Sprint("source", n%test.sources), fmt.Sprint("random", n))
					if hurry, ok := errors.AsType[*Error](err); ok && hurry.Status == http.StatusTooManyRequests {
						busy.Add(1)
					}
				})
			}
			all.Wait()
			if n := asked.Load(); n > test.most || n+busy.Load() != 200 {
				t.Errorf("%s: the provider was asked %d times, want at most %d; %d were told to wait", name, n, test.most, busy.Load())
			}
			if len(v.byToken) > int(asked.Load())+1 {
				t.Errorf("%s: %d verdicts are kept of %d", name, len(v.byToken), asked.Load())
			}
		})
	}
}

// A known caller goes on while strangers try tokens, even from the same address, and a stranger with a good token
// is let in a moment later.
func TestT22FloodsOfTokensHoldNobodyUpForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, _ := askedAbout(t)
		if _, err := v.of(t.Context(), "office", "good-and-known"); err != nil {
			t.Fatal(err)
		}
		flood := func(source string) {
			for n := range 2 * sourceBurst {
				v.of(t.Context(), source, fmt.Sprint("random", source, n, time.Now()))
			}
		}
		for range 3 {
			flood("office")
			time.Sleep(goodVerdict)
			flood("office")
			if _, err := v.of(t.Context(), "office", "good-and-known"); err != nil {
				t.Errorf("who is known: %v", err)
			}
			if _, err := v.of(t.Context(), "elsewhere", "good-from-elsewhere"); err != nil {
				t.Errorf("from elsewhere: %v", err)
			}
		}
		flood("office")
		began := time.Now()
		_, err := v.of(t.Context(), "office", "good-and-new")
		hurry, ok := errors.AsType[*Error](err)
		if !ok || hurry.Status != http.StatusTooManyRequests {
			t.Fatalf("a new token from the same address: %v", err)
		}
		time.Sleep(hurry.RetryAfter)
		if _, err := v.of(t.Context(), "office", "good-and-new"); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// Good tokens are never held up by how many there are.
func TestManyGoodTokensOfOneSourceAreNotPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, asked := askedAbout(t)
		var all sync.WaitGroup
		for n := range 500 {
			all.Go(func() {
				if _, err := v.of(t.Context(), "office", fmt.Sprint("good", n)); err != nil {
					t.Errorf("token %d: %v", n, err)
				}
			})
		}
		all.Wait()
		if asked.Load() != 500 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

// A refusal that is remembered refuses a token that has become good for no longer than it stands.
func TestRefusalIsForgottenSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := false
		v := newVerdicts(time.Now, func(context.Context, string) (*Caller, error) {
			if !good {
				return nil, errors.New("not active")
			}
			return &Caller{}, nil
		})
		v.of(t.Context(), "office", "token")
		good = true
		began := time.Now()
		for {
			if _, err := v.of(t.Context(), "office", "token"); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if got := time.Since(began); got > badVerdict {
			t.Errorf("refused for %s, want at most %s", got, badVerdict)
		}
	})
}

func TestSourcesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(time.Now)
		for n := range 2 * maxSources {
			done, err := a.begin(t.Context(), fmt.Sprint(n), true)
			if err != nil {
				t.Fatal(err)
			}
			done(true)
		}
		if n := len(a.sources); n > maxSources+1 {
			t.Errorf("%d sources are kept, want at most %d", n, maxSources)
		}
		time.Sleep(time.Hour)
		done, _ := a.begin(t.Context(), "one more", false)
		done(false)
		if n := len(a.sources); n > 2 {
			t.Errorf("%d sources are kept an hour later", n)
		}
	})
}

func TestSourceIsWhoeverIsBehindTheProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		peer   string
		header []string
		want   string
	}{
		{"203.0.113.7:1234", nil, "203.0.113.7"},
		{"203.0.113.7:1234", []string{"X-Forwarded-For", "198.51.100.1", "Client-Ip", "198.51.100.1"}, "203.0.113.7"},
		{"127.0.0.1:1234", []string{"X-Forwarded-For", "198.51.100.1, 192.0.2.9"}, "192.0.2.9"},
		{"127.0.0.1:1234", []string{"X-Forwarded-For", "10.0.0.1", "Client-Ip", "192.0.2.9:5678"}, "192.0.2.9"},
		{"[::1]:1234", []string{"Client-Ip", "[2001:db8::1]:5678"}, "2001:db8::1"},
		{"127.0.0.1:1234", []string{"Client-Ip", strings.Repeat("1", 1000)}, "127.0.0.1"},
		{"127.0.0.1:1234", nil, "127.0.0.1"},
		{"@", nil, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.peer
		for i := 0; i < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		if got := Source(r); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.peer, test.header, got, test.want)
		}
	}
}
