package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// Forks share most of their memory, where they are forks.
func TestForkedSessionsNeedLess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sum := strings.Repeat("a", 64)
	packed := packmanifest.File{Format: packmanifest.Format, Platform: "linux/amd64", Python: "3.12", Servers: map[string]packmanifest.Server{"a": {
		From:  packmanifest.Command{Command: "uvx", Args: []string{"x"}},
		Start: packmanifest.Start{Interpreter: packmanifest.Python, Script: "packed/a/start.py", Replaces: 1, Fork: "packed/a/fork.txt"},
		Lock:  sum, Tree: sum,
	}}}
	data, err := packed.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, packmanifest.Folder, packmanifest.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]int{
		`"args": ["x"]`:                              10 * forkMiB,
		`"args": ["x"], "fork": false`:               10 * pythonMiB,
		`"args": ["x"], "sandbox": {"write": ["d"]}`: 10 * pythonMiB,
		`"args": ["y"]`:                              10 * pythonMiB, // another than was packed
	} {
		file, err := config.Parse("f.json", []byte(`{"mcpServers": {"a": {"command": "uvx", "sessions": {"max": 10}, `+server+`}}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, mib := (&Project{File: file, Dir: dir}).sessions(); mib != want {
			t.Errorf("%s needs %d MiB, want %d", server, mib, want)
		}
	}
}
