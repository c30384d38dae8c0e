//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// manifested is bridge for a project whose servers are all in its manifest.
func manifested(t *testing.T, config string, servers ...string) *Bridge {
	t.Helper()
	dir := scaffold(t, config)
	e2etest.Record(t, mcpfunc(t), dir)
	data, err := os.ReadFile(filepath.Join(dir, "mcp_manifest.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range servers {
		if !strings.Contains(string(data), fmt.Sprintf("%q:{", name)) {
			t.Fatalf("%s is not in the manifest", name)
		}
	}
	return serve(t, dir)
}

// The suite finds through the manifest what it finds without, with the same server.
func TestConformanceThroughTheManifest(t *testing.T) {
	child := conformanceServer(t)
	config := fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q}}}`, child)
	b := manifested(t, config, "everything")
	plain := bridge(t, config)
	for _, suite := range append(slices.Clone(suites[:1]), stateless) {
		t.Run(suite.name, func(t *testing.T) {
			through := conform(t, b.Endpoint("everything"), suite.pkg, suite.args)
			without := conform(t, plain.Endpoint("everything"), suite.pkg, suite.args)
			if got, want := through.total(), without.total(); got != want || got.passed == 0 {
				t.Errorf("through the manifest %+v, without %+v; they differ in:\n%s\n%s",
					got, want, difference(without.scenarios, through.scenarios), strings.Join(through.failures, "\n"))
			}
		})
	}
}

// Servers that others wrote: who lists has no process, and hears to the letter what a process says.
func TestListsOfRealServersNeedNoProcess(t *testing.T) {
	t.Parallel()
	b := manifested(t, asJSON(t, map[string]any{"mcpServers": map[string]any{
		"time":       map[string]any{"command": "uvx", "args": []string{e2etest.Pinned(t, "mcp-server-time")}},
		"everything": map[string]any{"command": "npx", "args": []string{"-y", e2etest.Pinned(t, "@modelcontextprotocol/server-everything")}},
	}}), "time", "everything")
	servers := map[string]struct {
		lists []string
		call  string
	}{
		"time":       {[]string{"tools/list"}, callTool("get_current_time", `{"timezone": "UTC"}`)},
		"everything": {[]string{"resources/list", "prompts/list"}, callTool("echo", `{"message": "UTC"}`)},
	}
	list := func(method string) string {
		return fmt.Sprintf(`{"jsonrpc": "2.0", "method": %q, "id": 2}`, method)
	}
	sessions, before := map[string]string{}, map[string]string{}
	for server, s := range servers {
		url := b.Endpoint(server)
		sessions[server] = post(t, url, "", initialize).Header.Get("Mcp-Session-Id")
		post(t, url, sessions[server], initialized)
		for _, method := range s.lists {
			before[server+method] = post(t, url, sessions[server], list(method)).Body
		}
	}
	if n := b.processes(t); n != 0 {
		t.Errorf("%d processes after lists, want none", n)
	}
	for server, s := range servers {
		url := b.Endpoint(server)
		if got := post(t, url, sessions[server], s.call).Body; !strings.Contains(got, "UTC") || strings.Contains(got, "list_changed") {
			t.Errorf("%s: the call brought %s", server, got)
		}
		for _, method := range s.lists { // now of a process
			if after := post(t, url, sessions[server], list(method)).Body; after != before[server+method] {
				t.Errorf("%s: %s is\n%s\nof a process, and without one it was\n%s", server, method, after, before[server+method])
			}
		}
	}
	if n := b.processes(t); n != len(servers) {
		t.Errorf("%d processes after calls, want %d", n, len(servers))
	}
}

// processes is how many processes of servers the project says that it has.
func (b *Bridge) processes(t *testing.T) int {
	t.Helper()
	resp, err := http.Get(b.URL + "/api/session_metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var figures struct {
		Processes int `json:"total_processes"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&figures); err != nil {
		t.Fatal(err)
	}
	return figures.Processes
}
