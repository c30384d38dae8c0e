//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// sdk is a client that can make one call and expect a text in the answer, and perhaps play scenarios.
type sdk struct {
	name  string
	call  func(t *testing.T, url, tool, args, want string)
	play  func(t *testing.T, url, scenario string) // nil if it cannot
	plays []string                                 // the scenarios that it has; nil for all
}

// knows reports whether the client can play a scenario.
func (s sdk) knows(scenario string) bool {
	return s.play != nil && (s.plays == nil || slices.Contains(s.plays, scenario))
}

// sdks are the clients. Those for Go, the second for Python and the one for Rust ask for 2026-07-28
// first and fall back; the others speak nothing newer than 2025-11-25. The last three are not asked for
// what their libraries leave out, nor for what the first three show of us.
func sdks() []sdk {
	typescript := script{node, filepath.Join("clients", "typescript", "client.mjs")}
	python1 := script{python, filepath.Join("clients", "python", "client.py")}
	python2 := script{e2etest.Tool("python2", "bin", "python"), filepath.Join("clients", "python2", "client.py")}
	rust := script{e2etest.Tool("rust", "debug", "client"), ""}
	mcpgo := script{e2etest.Tool("mcpgo", "client"), ""}
	usual := []string{"basics", "concurrent", "progress", "logging"}
	return []sdk{
		{"go", callOnce, func(t *testing.T, url, scenario string) { scenarios[scenario](t, url) }, nil},
		{"typescript", typescript.call, typescript.play, nil},
		{"python", python1.call, python1.play, nil},
		{"python2", python2.call, nil, nil},
		{"rust", rust.call, rust.play, append(usual, "subscription")},
		{"mcp-go", mcpgo.call, mcpgo.play, append(usual, "subscription")},
		{"langchain", langchain().call, langchain().play, usual},
	}
}

func langchain() script {
	return script{e2etest.Tool("langchain", "bin", "python"), filepath.Join("clients", "langchain", "client.py")}
}

func callOnce(t *testing.T, url, tool, args, want string) {
	p := connect(t, url)
	if !p.has(t, tool) {
		t.Errorf("tools/list lacks %s", tool)
	}
	if got := p.mustCall(t, tool, arguments(t, args)); !strings.Contains(got, want) {
		t.Errorf("%s answers %q, want %q in it", tool, got, want)
	}
	p.end(t)
}

// script is a client in another language: it takes a URL, a scenario and its arguments, and prints one
// JSON object a check. A program has no file.
type script struct{ interpreter, file string }

func (s script) play(t *testing.T, url, scenario string) { s.run(t, url, scenario) }

func (s script) call(t *testing.T, url, tool, args, want string) {
	s.run(t, url, "call", tool, args, want)
}

// lastCheck is what a script prints when its scenario came to its end.
const lastCheck = "every step was reached"

func (s script) run(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	if s.file != "" {
		args = append([]string{s.file}, args...)
	}
	cmd := exec.CommandContext(ctx, s.interpreter, args...)
	cmd.Env = e2etest.Environ()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	exit := cmd.Run()

	var last string
	for line := range strings.Lines(stdout.String()) {
		var report struct {
			Check  string
			OK     bool
			Detail string
		}
		if err := json.Unmarshal([]byte(line), &report); err != nil {
			t.Errorf("%s printed %q, want a JSON object", cmd, line)
			continue
		}
		if !report.OK {
			t.Errorf("%s: %s", report.Check, report.Detail)
		}
		last = report.Check
	}
	if exit != nil || last != lastCheck {
		t.Errorf("%s ended (%v) after %q\n%s", cmd, exit, last, stderr.String())
	}
}
