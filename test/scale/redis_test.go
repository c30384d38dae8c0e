//go:build e2e

package scale

import (
	"net/http"
	"slices"
	"strings"
	"testing"

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
