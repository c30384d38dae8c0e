package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contents are those of a file, or "" when it does not exist.
func contents(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(data)
}

func TestNextRunClearsUpAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		".mcpfunc-pack-1/mcp_lock/mcp_lock.json": "half",
		"main.go":                                "package main",
	})
	stage := filepath.Join(dir, ".mcpfunc-pack-1")
	if err := os.Symlink(filepath.Join(dir, "main.go"), filepath.Join(stage, "main.go")); err != nil { // of mirror
		t.Fatal(err)
	}
	if err := sweep(dir, time.Now().Add(staleAfter/2)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stage); err != nil {
		t.Errorf("the folder of a run that may go on is gone: %v", err)
	}
	if err := sweep(dir, time.Now().Add(2*staleAfter)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stage); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of a run that was killed is there: %v", err)
	}
	if got := contents(t, dir, "main.go"); got != "package main" {
		t.Errorf("what it linked to became %q", got)
	}
	if got := contents(t, dir, LockFolder, "mcp_lock.json"); got != "" {
		t.Errorf("half a lock was put in place: %q", got)
	}
}

// A lock is the one thing that cannot be made again as it was.
func TestLockOfARunThatWasKilledBetweenTwoMovesIsPutBack(t *testing.T) {
	t.Parallel()
	attic := ".mcpfunc-pack-1/" + workFolder + "/" + atticFolder + "/"
	dir := files(t, map[string]string{
		".mcpfunc-pack-1/mcp_lock/mcp_lock.json": "new",
		attic + "mcp_lock/mcp_lock.json":         "old",
		attic + SBOMName:                         "old",
		SBOMName:                                 "newest",
	})
	if err := sweep(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	got := []string{contents(t, dir, LockFolder, "mcp_lock.json"), contents(t, dir, SBOMName)}
	if diff := cmp.Diff([]string{"old", "newest"}, got); diff != "" {
		t.Errorf("lock and SBOM (-want +got):\n%s", diff)
	}
}
