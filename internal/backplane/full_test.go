//go:build e2e

package backplane

import (
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

func TestRedisThatEvictsKeysIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		memory, policy string
		warns          bool
	}{{"100mb", "allkeys-lru", true}, {"100mb", "volatile-lru", true}, {"100mb", "noeviction", false}, {"0", "allkeys-lru", false}} {
		redis := startRedis(t, "--maxmemory", tt.memory, "--maxmemory-policy", tt.policy)
		m := redis.member(t, ticket.RandomKeys(), echo)
		m.own(t, "s", nil)
		eventually(t, "it is settled, after it has asked", func() bool { return m.settled.Load() })
		if got := m.log.logged("evicts keys"); got != tt.warns {
			t.Errorf("%s of %s: warns: %t", tt.policy, tt.memory, got)
		}
	}
}

// A Redis that is full is one that is away: sessions stay where they are, and calls reach them when there is room again.
func TestRedisThatIsFullEndsNoSession(t *testing.T) {
	t.Parallel()
	redis, keys := startRedis(t), ticket.RandomKeys()
	a, b := redis.member(t, keys, echo), redis.member(t, keys, nil)
	a.own(t, "s", func() { t.Error("the session is lost") })
	pass := func() error {
		_, err := b.pass(t.Context(), t, "s", "x")
		return err
	}
	eventually(t, "a call is answered", func() bool { return pass() == nil })
	c := redis.client(t)
	limit := func(bytes string) {
		t.Helper()
		if err := c.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	eventually(t, "both notice", func() bool { return a.down.Load() && b.down.Load() })
	if err := pass(); err == nil {
		t.Error("a call is answered")
	}
	if release, _, _ := b.Claim(t.Context(), "s", nil); release != nil {
		t.Error("b has taken over what a owns")
	}
	if a.Figures().Owned != 1 {
		t.Error("a does not own the session any more")
	}
	limit("0")
	eventually(t, "a call is answered again", func() bool { return pass() == nil })
}
