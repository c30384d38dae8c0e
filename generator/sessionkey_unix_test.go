//go:build unix

package generator

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSettingsAreReadByTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := withServers("git")
	write(t, plan(t, p), dir, Init)
	path := filepath.Join(dir, settingsPath)
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if got := mode(); got != 0o600 {
		t.Errorf("written with mode %v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put(t, dir, map[string]string{settingsPath: `{"Values": {}}`}) // with 0644
	p.AddSessionKey = true
	write(t, plan(t, p), dir, Generate)
	if got := mode(); got != 0o600 {
		t.Errorf("a key was added to a file of mode %v", got)
	}
}
