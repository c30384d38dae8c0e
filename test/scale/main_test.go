//go:build e2e

package scale

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

var programs e2etest.Programs

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

var (
	mcpfunc    = programs.Go("./cmd/mcpfunc")
	fastServer = programs.Go("./test/scale/server")

	node, python = e2etest.Node(), e2etest.Python()
)

// everything is the version of server-everything that is installed.
func everything(t *testing.T) string {
	t.Helper()
	return e2etest.Pinned(t, "@modelcontextprotocol/server-everything")
}

// pythonServer is the end-to-end tests' server on the Python SDK.
func pythonServer(t *testing.T) string {
	t.Helper()
	return e2etest.File(t, "test", "e2e", "servers", "everything.py")
}

// A server is one entry of a mcp_config.json.
type server map[string]any

// with returns the entry with what it is besides.
func (s server) with(more server) server {
	all := server{}
	for _, part := range []server{s, more} {
		for key, value := range part {
			all[key] = value
		}
	}
	return all
}

// scaffold makes and builds a project as a user would, and returns its directory and its handler.
func scaffold(t *testing.T, servers map[string]server) (dir, handler string) {
	t.Helper()
	config, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		t.Fatal(err)
	}
	dir = e2etest.Scaffold(t, mcpfunc(t), string(config))
	return dir, e2etest.Build(t, dir)
}

// at is how often something is done: as the promise says, or less with -short.
func at(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}
