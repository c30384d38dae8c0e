package e2etest

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/fronttest"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// Front returns where clients reach the handler of host. It is the host itself, or the HTTP front that
// is made of the real host's own parts if MCPFUNC_E2E_FRONT names that program, from the repository's
// root: the same tests then run through both.
func Front(t testing.TB, host *hostemu.Host, dir string) string {
	t.Helper()
	program := os.Getenv("MCPFUNC_E2E_FRONT")
	if program == "" {
		return host.URL()
	}
	if !filepath.IsAbs(program) {
		root, err := repository()
		if err != nil {
			t.Fatal(err)
		}
		program = filepath.Join(root, program)
	}
	_, port, err := net.SplitHostPort(host.HandlerAddress())
	if err != nil {
		t.Fatal(err)
	}
	return fronttest.Start(t, program, dir, os.Environ(), port)
}
