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

// An owner that alone is cut off from Redis goes on with what reaches it, and on_lost says what others do. When it is
// back, each session has one process.
func TestOwnerThatIsCutOffFromRedis(t *testing.T) {
	redis := e2etest.StartRedis(t)
	key := newKey()
	w := newWire(t, redis)
	s := newStage(t, 1, map[string]server{
		"strict":  stateful(t),
		"lenient": stateful(t).with(server{"sessions": map[string]any{"on_lost": "resurrect"}}),
	}, slices.Concat(withKeys(key), w.settings()))
	s.add(t, slices.Concat(sharedBy(redis), withKeys(key)))
	next := func(instance int, server, id string) string {
		got := s.up()[instance].at(server).send(t, http.MethodPost, id, call(7, "next", `{}`))
		if got.status == http.StatusNotFound {
			return "404"
		}
		_, after, _ := strings.Cut(got.body, `"text":"call `)
		number, _, _ := strings.Cut(after, ".")
		return number
	}
	eventually := func(what string, ask func() bool) {
		t.Helper()
		if !e2etest.Eventually(testlimit.Wait(), ask) {
			t.Fatalf("never: %s", what)
		}
	}
	strict, lenient := s.up()[0].at("strict").open(t), s.up()[0].at("lenient").open(t)
	for server, id := range map[string]string{"strict": strict, "lenient": lenient} {
		if a, b := next(0, server, id), next(1, server, id); a != "1" || b != "2" {
			t.Fatalf("%s: calls %q and %q", server, a, b)
		}
	}
	w.set(true)
	eventually("the session is lost to others", func() bool { return next(1, "strict", strict) == "404" })
	eventually("another process takes the session over", func() bool { return next(1, "lenient", lenient) == "1" })
	if a, b := next(0, "strict", strict), next(0, "lenient", lenient); a != "3" || b != "3" {
		t.Errorf("calls that reach the owner are number %q and %q, want 3", a, b)
	}
	w.set(false)
	eventually("the session is reached again", func() bool { return next(1, "strict", strict) == "4" })
	eventually("the second process is the only one", func() bool { return len(s.processes(t)) == 2 })
	if a, b := next(1, "lenient", lenient), next(0, "lenient", lenient); a != "2" || b != "3" {
		t.Errorf("then, calls are number %q and %q, want 2 and 3", a, b)
	}
}
