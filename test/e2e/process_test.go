//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// processesOf is every process whose program is the handler, and every descendant of one.
func processesOf(t *testing.T, handler string) []e2etest.Process {
	t.Helper()
	all := e2etest.Processes(t)
	ours := make(map[int]bool)
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !ours[p.PID] && (p.Exe == handler || ours[p.Parent]) {
				ours[p.PID], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(p e2etest.Process) bool { return !ours[p.PID] })
}

// assertGone fails the test if one of the processes, or any process in the directory, outlives its host.
func assertGone(t *testing.T, started []e2etest.Process, dir string) {
	t.Helper()
	var left []e2etest.Process
	gone := e2etest.Eventually(testlimit.Wait(), func() bool {
		left = slices.DeleteFunc(e2etest.Processes(t), func(p e2etest.Process) bool {
			return !p.In(dir) && !slices.ContainsFunc(started, func(s e2etest.Process) bool { return p.PID == s.PID && p.Start == s.Start })
		})
		return len(left) == 0
	})
	if !gone {
		t.Errorf("%d processes outlived the host: %v", len(left), left)
	}
}
