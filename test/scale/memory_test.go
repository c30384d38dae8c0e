//go:build e2e

package scale

import (
	"os"
	"path/filepath"
	"strconv"
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
			"era":             "legacy",   // 2026-07-28 does not have sessions, and nothing that a process remembers belongs to one
			"timeout_seconds": slowStart}, // it imports for seconds of processor time
	}, sharedBy(redis))
	jobs := []job{
		{Server: "counter", Steps: []step{{"next", `{}`, "call {n}."}}},
		{Server: "sql", Steps: []step{{"execute_query", `{"sql": "CREATE TABLE IF NOT EXISTS numbers (value INTEGER); ` +
			`INSERT INTO numbers VALUES ({n}); SELECT count(*) || ' rows' FROM numbers"}`, `"{n} rows"`}}},
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

// A server whose memory is a file, one for each client, reads all of it and writes all of it at each call. A session
// therefore removes what it adds, and sees before that that nothing else is there: what another process wrote, or what
// one did not find.
func TestServerMemoryKeepsItsGraphOnEveryInstance(t *testing.T) {
	redis := e2etest.StartRedis(t)
	dir, servers := t.TempDir(), map[string]server{}
	file := func(c client) string { return filepath.Join(dir, c.name+".jsonl") }
	for _, c := range clients() {
		servers[c.name] = server{"command": "npx", "args": []string{"-y", memoryServer(t)}, "env": map[string]string{"MEMORY_FILE_PATH": file(c)}, "timeout_seconds": slowStart}
	}
	s := newStage(t, 3, servers, sharedBy(redis))
	round := []step{
		{"create_entities", `{"entities": [{"name": "e{n}", "entityType": "t", "observations": ["o{n}"]}]}`, entities},
		{"read_graph", `{}`, `{
  "entities": ` + strings.ReplaceAll(entities, "\n", "\n  ") + `,
  "relations": []
}`},
		{"delete_entities", `{"entityNames": ["e{n}"]}`, "deleted"},
	}
	calls := at(10_000, 61) // the last one is the first of its round
	var mu sync.Mutex
	var calling sync.WaitGroup
	var all outcome
	for _, c := range clients() {
		calling.Go(func() {
			o := c.loop(t, s.Endpoint(c.name), calls, 1, job{Steps: round})
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
	last := strconv.Itoa(calls/len(round) + 1)
	want := `{"type":"entity","name":"e` + last + `","entityType":"t","observations":["o` + last + `"]}`
	for _, c := range clients() {
		if graph, err := os.ReadFile(file(c)); err != nil || string(graph) != want {
			t.Errorf("%s: at last the file says %s, want %s: %v", c.name, graph, want, err)
		}
	}
}

// entities is how the server prints the one that a round has created.
const entities = `[
  {
    "name": "e{n}",
    "entityType": "t",
    "observations": [
      "o{n}"
    ]
  }
]`

func memoryServer(t *testing.T) string {
	t.Helper()
	return e2etest.Pinned(t, "@modelcontextprotocol/server-memory")
}
