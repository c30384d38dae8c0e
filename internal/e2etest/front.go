package e2etest

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// frontProgram returns the HTTP front that is made of the real host's own parts if MCPFUNC_E2E_FRONT names it, from
// the repository's root, and otherwise "".
func frontProgram(t testing.TB) string {
	t.Helper()
	program := os.Getenv("MCPFUNC_E2E_FRONT")
	if program == "" || filepath.IsAbs(program) {
		return program
	}
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, program)
}

// known is how clients on this machine know what listens at address.
func known(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + net.JoinHostPort("localhost", port)
}
