//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

func TestEveryClientPlaysEveryScenarioOnTheTypeScriptServer(t *testing.T) {
	t.Parallel()
	playAll(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q}}}`,
		npmProgram(t, "@modelcontextprotocol/server-everything", "mcp-server-everything")))
}

// npmProgram is where npx has a program of a package. To start it by npx takes longer than to start it, and there are
// a hundred sessions.
func npmProgram(t *testing.T, name, program string) string {
	t.Helper()
	cmd := exec.Command("npx", "-y", "--package="+e2etest.Pinned(t, name), "-c", "command -v "+program)
	cmd.Env = e2etest.Environ()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.TrimSpace(string(out))
}

func TestEveryClientPlaysEveryScenarioOnThePythonServer(t *testing.T) {
	t.Parallel()
	playAll(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q, "args": [%q]}}}`, python, pythonServer(t)))
}

func playAll(t *testing.T, config string) { play(t, bridge(t, config), sdks()) }

// play has clients play what they know with the server "everything".
func play(t *testing.T, b *Bridge, clients []sdk) {
	t.Run("client", func(t *testing.T) { // the group waits for its parallel tests before the bridge is taken down
		for _, client := range clients {
			for _, scenario := range slices.Sorted(maps.Keys(scenarios)) {
				if !client.knows(scenario) {
					continue
				}
				t.Run(client.name+"/"+scenario, func(t *testing.T) {
					t.Parallel()
					client.play(t, b.Endpoint("everything"), scenario)
				})
			}
		}
	})
	var left metrics
	if !e2etest.Eventually(10*time.Second, func() bool {
		left = b.metrics(t)
		return left.ActiveSessions == 0 && left.TotalProcesses == 0
	}) {
		t.Errorf("the clients are gone, and left %+v: each ends its session by DELETE", left)
	}
}

// pythonServer is our server on the Python SDK, which can do what server-everything does and more.
func pythonServer(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("servers", "everything.py"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
