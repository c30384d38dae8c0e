//go:build e2e

package backplane

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A server is Redis as the instances of an app share it.
type server struct{ *e2etest.Redis }

func startRedis(t *testing.T, options ...string) server {
	t.Helper()
	return server{e2etest.StartRedis(t, options...)}
}

// client looks at what the server holds.
func (s server) client(t *testing.T) *redis.Client {
	o, err := redis.ParseURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func revoke(t *testing.T, i *instance, id string, until time.Time) {
	t.Helper()
	if err := i.Revoke(t.Context(), id, until); err != nil {
		t.Fatal(err)
	}
}

func isRevoked(t *testing.T, i *instance, id string) bool {
	t.Helper()
	yes, err := i.Revoked(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	if !testlimit.Eventually(ask) {
		t.Fatalf("never: %s", what)
	}
}

// An instance holds sessions, and ends those that it is told to.
type instance struct {
	*Store
	mu   sync.Mutex
	held []string
	log  bytes.Buffer
}

func (i *instance) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.log.Write(p)
}

func (i *instance) ids() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.held)
}

func (i *instance) logged(text string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Contains(i.log.String(), text)
}

func (i *instance) end(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held = slices.DeleteFunc(i.held, func(held string) bool { return held == id })
}

func (s server) instance(t *testing.T, held ...string) *instance {
	t.Helper()
	i := &instance{held: slices.Clone(held)}
	store, err := Open(s.URL, slog.New(slog.NewTextHandler(i, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	i.Store = store
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { store.Watch(ctx, i.ids, i.end) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		store.Close()
		if i.logged(e2etest.RedisPassword) || i.logged("mcpf-") {
			t.Errorf("a secret is in the log:\n%s", &i.log)
		}
	})
	return i
}

// listeners waits until as many instances listen.
func (s server) listeners(t *testing.T, want int64) {
	t.Helper()
	c := s.client(t)
	eventually(t, fmt.Sprint(want, " instances listen"), func() bool {
		return c.PubSubNumSub(t.Context(), channel).Val()[channel] == want
	})
}

func TestRevocationReachesTheOtherInstances(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b, c := redis.instance(t, "mcpf-1"), redis.instance(t, "mcpf-1", "mcpf-2"), redis.instance(t)
	redis.listeners(t, 3)
	revoke(t, a, "mcpf-1", time.Now().Add(time.Hour))
	eventually(t, "b ends it", func() bool { return slices.Equal(b.ids(), []string{"mcpf-2"}) })
	for name, i := range map[string]*instance{"a": a, "b": b, "c": c} {
		if !isRevoked(t, i, "mcpf-1") || isRevoked(t, i, "mcpf-2") {
			t.Errorf("%s: mcpf-1 must be revoked and mcpf-2 not", name)
		}
	}
}

func TestRedisHoldsDigestsForAsLongAsIDsAreGood(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a := redis.instance(t)
	revoke(t, a, "mcpf-secret", time.Now().Add(time.Hour))
	revoke(t, a, "mcpf-brief", time.Now().Add(300*time.Millisecond))
	revoke(t, a, "mcpf-over", time.Now().Add(-time.Hour))
	c := redis.client(t)
	keys := c.Keys(t.Context(), "*").Val()
	if len(keys) != 2 || strings.Contains(fmt.Sprint(keys), "mcpf-") {
		t.Errorf("keys %q", keys)
	}
	if ttl := c.TTL(t.Context(), keyPrefix+string(digestOf("mcpf-secret"))).Val(); ttl <= 59*time.Minute || ttl > time.Hour {
		t.Errorf("it is kept for %v, want an hour", ttl)
	}
	other := redis.instance(t)
	eventually(t, "the brief one is over", func() bool { return !isRevoked(t, other, "mcpf-brief") })
}

// A Redis that went away takes with it what it held in memory; what was revoked meanwhile is told to
// it when it is back, and ends on the others then.
func TestRevocationsOfAnOutageAreMadeUpFor(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b := redis.instance(t), redis.instance(t, "mcpf-1", "mcpf-2")
	redis.listeners(t, 2)
	redis.Stop()
	eventually(t, "the outage is logged", func() bool { return a.logged("cannot reach Redis") && b.logged("cannot reach Redis") })
	if err := a.Revoke(t.Context(), "mcpf-1", time.Now().Add(time.Hour)); err == nil {
		t.Error("revoking during the outage is no error")
	}
	if _, err := b.Revoked(t.Context(), "mcpf-1"); err == nil {
		t.Error("asking during the outage is no error")
	}
	redis.Start(t)
	eventually(t, "b ends it", func() bool { return slices.Equal(b.ids(), []string{"mcpf-2"}) })
	eventually(t, "the end of the outage is logged", func() bool { return a.logged("Redis is reachable again") && b.logged("Redis is reachable again") })
	eventually(t, "it may not be opened any more", func() bool { // the client waits a second after a failure to connect
		yes, err := b.Revoked(t.Context(), "mcpf-1")
		return yes && err == nil
	})
}

// An instance that was not listening when it was said asks about what it holds.
func TestInstanceCatchesUpWhenItConnects(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a := redis.instance(t)
	var held []string
	for i := range 2*batch + 1 {
		held = append(held, fmt.Sprint("mcpf-", i))
	}
	revoke(t, a, held[0], time.Now().Add(time.Hour))
	revoke(t, a, held[2*batch], time.Now().Add(time.Hour))
	b := redis.instance(t, held...)
	eventually(t, "both are ended", func() bool { return slices.Equal(b.ids(), held[1:2*batch]) })
}

func TestWrongPasswordIsSaidWithoutIt(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	wrong := server{&e2etest.Redis{URL: strings.Replace(redis.URL, e2etest.RedisPassword, e2etest.RedisPassword+"-not", 1)}}
	i := wrong.instance(t)
	_, err := i.Revoked(t.Context(), "mcpf-1")
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), e2etest.RedisPassword) {
		t.Errorf("got %v", err)
	}
	eventually(t, "it is logged", func() bool { return i.logged("WRONGPASS") })
}
