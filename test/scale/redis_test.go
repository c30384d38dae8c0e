//go:build e2e

package scale

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A session that a client ends on one instance is over on all of them: on those that serve it and on
// those that would otherwise take it over. While Redis is away nothing is passed on or taken over, what runs goes
// on where it is, and what ends meanwhile is over everywhere as soon as Redis is back.
func TestDeleteIsRememberedByEveryInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{"fast": {"command": fastServer(t), "stateless": true}},
		slices.Concat(withKeys(newKey()), settings{"MCPFUNC_REDIS_URL=" + redis.URL}))
	a, b, c := s.up()[0].at("fast"), s.up()[1].at("fast"), s.up()[2].at("fast")
	none := func() bool { return len(s.processes(t)) == 0 }
	gone := func(id string, on ...caller) {
		t.Helper()
		for _, i := range on {
			if got := i.send(t, http.MethodPost, id, echo); got.status != http.StatusNotFound {
				t.Errorf("an ended session at %s: %+v", i.url, got)
			}
		}
	}

	id := a.open(t)
	b.call(t, id)
	if got := c.send(t, http.MethodDelete, id, ""); got.status >= 300 {
		t.Fatalf("DELETE on an instance that does not hold the session: %+v", got)
	}
	if !e2etest.Eventually(testlimit.Wait(), none) {
		t.Errorf("the session's processes go on: %v", s.processes(t))
	}
	gone(id, a, b, c)

	id = a.open(t)
	other := a.open(t)
	b.call(t, id)
	redis.Stop()
	a.call(t, id)
	for _, elsewhere := range []caller{b, c} {
		if got := elsewhere.send(t, http.MethodPost, id, echo); !strings.Contains(got.body, `"retryable":true`) {
			t.Errorf("a session that may be over, while nobody knows: %+v", got)
		}
	}
	if got := a.send(t, http.MethodDelete, id, ""); got.status >= 300 {
		t.Errorf("DELETE without Redis: %+v", got)
	}
	gone(id, a)
	redis.Start(t)
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return len(s.processes(t)) == 1 }) {
		t.Errorf("the session goes on where another instance ended it: %v", s.processes(t))
	}
	gone(id, a)
	for _, elsewhere := range []caller{b, c} {
		if !e2etest.Eventually(testlimit.Wait(), func() bool { return elsewhere.send(t, http.MethodPost, id, echo).status == http.StatusNotFound }) {
			t.Error("the session may still be taken over")
		}
	}
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return strings.Contains(c.send(t, http.MethodPost, other, echo).body, "hello") }) {
		t.Error("a session that goes on is not reached any more")
	}
}

// A call of a session that is on the instance that it reaches does not use Redis, in which that instance only reports that
// it is alive.
func TestCallsOfSessionsThatAreHereDoNotUseRedis(t *testing.T) {
	store := e2etest.StartRedis(t)
	s := newStage(t, 1, map[string]server{"counter": stateful(t)}, sharedBy(store))
	here := s.up()[0].at("counter")
	count := &tally{id: here.open(t)}
	c := redis.NewClient(optionsOf(t, store))
	defer c.Close()
	commands := func() (n int) {
		t.Helper()
		_, after, _ := strings.Cut(c.Info(t.Context(), "stats").Val(), "total_commands_processed:")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const calls = 2000
	before := commands()
	for range calls {
		if !count.next(t, here) {
			t.Fatal("a call fails")
		}
	}
	used := commands() - before
	t.Logf("%d calls, and meanwhile %d commands", calls, used)
	if used >= calls {
		t.Errorf("%d calls sent %d commands to Redis", calls, used)
	}
}
