//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

var continuations = flag.Int("continuations", 100, "calls at once that ask for input")

// answered is what became of calls that ask for input: which processes answered, and what failed, with how
// often.
type answered struct{ Processes, Failures map[string]int }

// The Python SDK 2 seals a requestState with a key of its process, so that each has to come back to the
// process that minted it, of the several that a caller has. Here two have a question before any is asked.
func TestContinuationsOfOneCallerReachTheProcessesThatAsked(t *testing.T) {
	calls := *continuations
	got := elicit(t, asker(t, map[string]string{"ASKERS": t.TempDir(), "PROCESSES": "2"}), strconv.Itoa(calls))
	total := 0
	for _, n := range got.Processes {
		total += n
	}
	t.Logf("%d calls, answered by %d processes: %v", calls, len(got.Processes), got.Processes)
	if total != calls || len(got.Failures) > 0 {
		t.Errorf("%d of %d calls were answered, and failed: %v", total, calls, got.Failures)
	}
	if len(got.Processes) < 2 {
		t.Error("one process did all, so that none could be missed")
	}
}

func TestContinuationOfAProcessThatEndedFailsWithTheReason(t *testing.T) {
	got := elicit(t, asker(t, map[string]string{}), "1", "crash")
	if diff := cmp.Diff(map[string]int{"continuation_lost": 1}, got.Failures); diff != "" || len(got.Processes) > 0 {
		t.Errorf("failures (-want +got):\n%s%v", diff, got.Processes)
	}
}

// asker serves asker.py with the variables env.
func asker(t *testing.T, env map[string]string) (url string) {
	server := filepath.Join(serverDir(t), "asker.py")
	path := "PATH=" + e2etest.Tool("python2", "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	config := map[string]any{"command": "python", "args": []string{server}, "env": env, "timeout_seconds": 200}
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": map[string]any{"asker": config}}), path)
	return b.Endpoint("asker")
}

func elicit(t *testing.T, url string, args ...string) (got answered) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	script := filepath.Join("clients", "python2", "elicit.py")
	cmd := exec.CommandContext(ctx, e2etest.Tool("python2", "bin", "python"), append([]string{script, url}, args...)...)
	cmd.Env = e2etest.Environ()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v printed %q (%v)\n%s", cmd.Args, out, err, stderr.String())
	}
	return got
}
