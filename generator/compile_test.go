package generator

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc"
)

// Every story builds at once on a machine that has Go, with no network and nothing written to its
// go.mod or go.sum.
func TestGeneratedProjectsBuildOffline(t *testing.T) {
	t.Parallel()
	eachStory(t, func(t *testing.T, _ *txtar.Archive, p Project, _ *Plan) {
		dir := t.TempDir()
		p.Runtime = mcpfunc.Source()
		write(t, plan(t, p), dir, Init)
		before := tree(t, dir)
		goTool(t, dir, "vet", "./...")
		goTool(t, dir, "build", "-o", "handler", ".")
		after := tree(t, dir)
		for _, name := range []string{"go.mod", "go.sum"} {
			if before[name] != after[name] {
				t.Errorf("building changed %s", name)
			}
		}
	})
}

// Tidy is what a person does first when something is odd; it must not be we who are odd. It looks at
// the tests of the modules too, which a build does not need, so the module cache alone may not do.
func TestTidyChangesNothing(t *testing.T) {
	t.Parallel()
	p := withServers("git")
	p.Runtime = mcpfunc.Source()
	dir := t.TempDir()
	write(t, plan(t, p), dir, Init)
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy", "-diff")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go mod tidy -diff: %v\n%s", err, out)
	}
}

func goTool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	// -trimpath, so that the copies of one runtime are compiled once.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOSUMDB=off",
		"GOFLAGS=-mod=readonly -buildvcs=false -trimpath", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %v in %s: %v\n%s", args, filepath.Base(dir), err, out)
	}
}
