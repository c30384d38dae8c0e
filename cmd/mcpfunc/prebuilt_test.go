package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// Most scenes need a handler and are not about how it is built; build, demo and the test of Ctrl-C are.
// The others get one of these, built once, from a go that copies.
var prebuilt = map[string]func() (string, error){
	"handler": sync.OnceValues(buildHandler),
	"small":   sync.OnceValues(buildSmall),
	"mcpfunc": sync.OnceValues(buildCommand),
}

// prebuiltDir is where they are.
var prebuiltDir string

// prebuilding runs the tests with a prebuiltDir, which is gone afterwards.
type prebuilding struct{ *testing.M }

func (m prebuilding) Run() int {
	dir, err := os.MkdirTemp("", "mcpfunc-prebuilt-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	prebuiltDir = dir
	return m.M.Run()
}

// buildHandler builds that of a project. Every project's does: which servers there are it reads.
func buildHandler() (string, error) {
	dir := filepath.Join(prebuiltDir, "app")
	for _, args := range [][]string{{"init", dir, "--server", "demo", "--", "mcpfunc", "demo-server"}, {"build", dir}} {
		cmd := exec.Command("mcpfunc", args...)
		cmd.Env = append(os.Environ(), "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("mcpfunc %s: %w\n%s", args[0], err, out)
		}
	}
	return filepath.Join(dir, "handler"), nil
}

// buildSmall builds a program that does nothing, for what only looks at handlers or zips them.
func buildSmall() (string, error) {
	source, program := filepath.Join(prebuiltDir, "small.go"), filepath.Join(prebuiltDir, "small")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// buildCommand builds mcpfunc as it is shipped, which does the same at a third of the cost of one that is
// part of a test under the race detector.
func buildCommand() (string, error) {
	if !testlimit.Race {
		return exec.LookPath("mcpfunc")
	}
	program := filepath.Join(prebuiltDir, "bin", "mcpfunc")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// concurrent lists the scenes that run mcpfunc under the race detector, where there is one: of the
// commands that do several things at once.
var concurrent = []string{"script-demo", "script-dev", "script-pack"}

// commandFor returns the mcpfunc of a scene.
func commandFor(e *testscript.Env) (string, error) {
	if slices.Contains(concurrent, filepath.Base(e.WorkDir)) {
		return exec.LookPath("mcpfunc")
	}
	return prebuilt["mcpfunc"]()
}

// writePrebuiltGo writes a go into dir that copies a prebuilt program where it is asked to build one,
// and is the real one otherwise.
func writePrebuiltGo(dir, kind string) error {
	build, ok := prebuilt[kind]
	if !ok {
		return fmt.Errorf("nothing prebuilt is called %q", kind)
	}
	program, err := build()
	if err != nil {
		return err
	}
	real, err := exec.LookPath("go")
	if err != nil {
		return err
	}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = build ] || exec '%s' \"$@\"\nwhile [ \"$1\" != -o ]; do shift; done\nexec /bin/cp '%s' \"$2\"\n", real, program)
	file := filepath.Join(dir, "go")
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) { // a link to the real one, which must not be written to
		return err
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, []byte(script), 0o755))
}

// cmdPrebuilt is "prebuilt DIR KIND": DIR, which becomes the first of PATH, has a go that copies the
// prebuilt program KIND, handler or small, instead of building.
func cmdPrebuilt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: prebuilt dir kind")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(writePrebuiltGo(dir, args[1]))
	if path := ts.Getenv("PATH"); path != dir {
		ts.Setenv("PATH", dir+string(os.PathListSeparator)+path)
	}
}

// withPrebuiltHandler is our environment with a go that copies the prebuilt handler.
func withPrebuiltHandler(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := writePrebuiltGo(dir, "handler"); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "GOPROXY=off")
}
