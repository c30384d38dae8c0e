//go:build e2e

package scale

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// Sessions with memory, called by every client on whatever instance: each call finds what the one before left.
func TestSessionsKeepTheirMemoryOnEveryInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	s := newStage(t, 3, map[string]server{
		"counter": stateful(t),
		"sql": {"command": "uvx", "args": []string{e2etest.Pinned(t, "mcp-server-motherduck"), "--db-path", ":memory:", "--read-write"},
			"era":             "legacy", // 2026-07-28 does not have sessions, and nothing that a process remembers belongs to one
			"timeout_seconds": 300},     // it imports for seconds of processor time, in several processes at once
	}, sharedBy(redis))
	jobs := []job{
		{Server: "counter", Tool: "next", Args: `{}`, Want: "call {n}."},
		{Server: "sql", Tool: "execute_query", Want: `"{n} rows"`, Args: `{"sql": "CREATE TABLE IF NOT EXISTS numbers (value INTEGER); ` +
			`INSERT INTO numbers VALUES ({n}); SELECT count(*) || ' rows' FROM numbers"}`},
	}
	all := play(t, s, jobs, at(60_000, 900), nil)
	if all.Failed > 0 {
		t.Errorf("%d of %d calls failed, want none:\n%s", all.Failed, all.Calls, strings.Join(all.Errors, "\n"))
	}
	hasOwners(t, s, all, len(jobs)*len(clients())*sessionsPerClient)
}

// hasOwners checks that one process was started for each of so many sessions, and that most calls were forwarded to it.
func hasOwners(t *testing.T, s *stage, all outcome, sessions int) {
	t.Helper()
	opened, forwarded := 0, 0
	for _, i := range s.up() {
		m := i.metrics(t)
		opened += m.Opened
		forwarded += m.Forwarded
	}
	t.Logf("%d calls, %d sessions, %d processes, %d requests forwarded", all.Calls, all.Begun, opened, forwarded)
	if all.Begun != sessions || opened != sessions || forwarded < all.Calls/2 {
		t.Errorf("want %d sessions, as many processes, and at least half of the calls forwarded", sessions)
	}
}

// A server whose memory is a file reads and writes it at each call: with a file for each client, what is in it says
// that no call was lost, and the number of processes that one process wrote it.
func TestServerMemoryKeepsItsGraphOnEveryInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	dir, servers := t.TempDir(), map[string]server{}
	file := func(c client) string { return filepath.Join(dir, c.name+".jsonl") }
	for _, c := range clients() {
		servers[c.name] = server{"command": "npx", "args": []string{"-y", memoryServer(t)}, "env": map[string]string{"MEMORY_FILE_PATH": file(c)}}
	}
	s := newStage(t, 3, servers, sharedBy(redis))
	calls := at(10_000, 60)
	var mu sync.Mutex
	var calling sync.WaitGroup
	var all outcome
	for _, c := range clients() {
		calling.Go(func() {
			o := c.loop(t, s.Endpoint(c.name), calls, 1, job{
				Tool: "create_entities", Args: `{"entities": [{"name": "e{n}", "entityType": "t", "observations": []}]}`, Want: `"e{n}"`,
			})
			mu.Lock()
			defer mu.Unlock()
			all.add(o)
		})
	}
	calling.Wait()
	if all.Failed > 0 {
		t.Errorf("%d of %d calls failed, want none:\n%s", all.Failed, all.Calls, strings.Join(all.Errors, "\n"))
	}
	hasOwners(t, s, all, len(clients()))
	for _, c := range clients() {
		graph, err := os.ReadFile(file(c))
		if n := strings.Count(string(graph), `"type":"entity"`); err != nil || n != calls {
			t.Errorf("%s: %d entities, want %d: %v", c.name, n, calls, err)
		}
	}
}

func memoryServer(t *testing.T) string {
	t.Helper()
	return e2etest.Pinned(t, "@modelcontextprotocol/server-memory")
}
