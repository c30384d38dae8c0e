//go:build e2e

package scale

import (
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// Idle sessions cost nothing but their id, and the next call wakes them.
func TestHibernatedSessionsCostNothingAndWake(t *testing.T) {
	const n = 4
	s := newStage(t, 1, map[string]server{"python": {
		"command": python, "args": []string{pythonServer(t)},
		"stateless": true, "sessions": map[string]any{"hibernate_seconds": 15},
	}}, withKeys(newKey()))
	i := s.up()[0]
	c := i.at("python")
	var ids []string
	for range n {
		ids = append(ids, c.open(t))
	}
	sealed(t, ids...)
	awake := len(s.processes(t))
	handlers, servers := s.resident(t)
	if awake < n {
		t.Fatalf("%d processes for %d sessions", awake, n)
	}
	if !e2etest.Eventually(testlimit.Wait(), func() bool { return len(s.processes(t)) == 0 }) {
		t.Fatalf("still there after hibernate_seconds: %v", s.processes(t))
	}
	asleep, none := s.resident(t)
	var slowest time.Duration
	for _, id := range ids {
		start := time.Now()
		c.call(t, id)
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("%d sessions awake: %d processes, %.0f MiB of servers, %.0f of the handler; hibernated: 0 processes, %.0f and %.0f MiB; the slowest woke in %s",
		n, awake, servers, handlers, none, asleep, milliseconds(slowest.Seconds()))
}
