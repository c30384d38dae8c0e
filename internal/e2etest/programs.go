package e2etest

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"testing"
)

// Programs are the Go programs that several tests of a package share. The zero value is ready.
type Programs struct{ dir string }

// Main is for TestMain: it runs the tests, if the tools are there, and returns the exit code.
func (p *Programs) Main(m *testing.M) int {
	if _, err := os.Stat(Tool("stamp")); err != nil {
		fmt.Fprintf(os.Stderr, "the tools are not installed: run test/e2e/tools/install.sh (%v)\n", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "mcpfunc-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	p.dir = dir
	return m.Run()
}

// Go returns a function that returns the path of the program of a Go package, and builds it when it
// is first called.
func (p *Programs) Go(pkg string) func(testing.TB) string {
	build := sync.OnceValues(func() (string, error) {
		root, err := repository()
		if err != nil {
			return "", err
		}
		program := filepath.Join(p.dir, path.Base(pkg))
		cmd := exec.Command("go", "build", "-tags", "e2e", "-o", program, pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
		return program, nil
	})
	return func(t testing.TB) string {
		t.Helper()
		program, err := build()
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
}
