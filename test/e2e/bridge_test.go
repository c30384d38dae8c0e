//go:build e2e

package e2e

import (
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// Bridge is a project that was scaffolded, built and is being served.
type Bridge struct {
	URL     string // http://127.0.0.1:port
	Dir     string // the project
	handler string // the built program
}

// bridge makes a project of an mcp_config.json and serves it under the host emulator, or the host's own front
// (e2etest.Serve), until the test ends. It then fails the test if anything that the project started is still alive.
func bridge(t *testing.T, config string, env ...string) *Bridge {
	t.Helper()
	return serve(t, scaffold(t, config), env...)
}

// serve is bridge for a project that is there.
func serve(t *testing.T, dir string, env ...string) *Bridge {
	t.Helper()
	b := &Bridge{Dir: dir, handler: e2etest.Build(t, dir)}

	output := new(e2etest.Transcript)
	host, url := e2etest.Serve(t, dir, output, env...)
	t.Cleanup(func() {
		alive := processesOf(t, b.handler)
		if err := host.Close(); err != nil {
			t.Errorf("close the host: %v", err)
		}
		assertGone(t, alive, dir)
		if t.Failed() {
			t.Logf("the project's output:\n%s", output)
		}
	})
	b.URL = url
	return b
}

// Endpoint is the address of one server of the project.
func (b *Bridge) Endpoint(server string) string { return b.URL + "/api/mcp/" + server }

func scaffold(t *testing.T, config string) string {
	t.Helper()
	return e2etest.Scaffold(t, mcpfunc(t), config)
}
