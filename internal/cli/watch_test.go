package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDevWatchesWhatTheHandlerReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := newWatcher(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.look(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"main.go": true, "mcp_config.json": true, "mcp_manifest.jsonl": true, "host.json": true, "mcp/function.json": true, "server.env": true,
		"main_test.go": false, "README.md": false, "packed/mcp_packed.json": false, ".git/main.go": false,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if changed, err := w.look(); changed != want || err != nil {
			t.Errorf("%s is a change: %v, %v, want %v", name, changed, err, want)
		}
	}
}
