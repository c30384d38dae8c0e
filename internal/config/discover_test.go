package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// touch makes a file and its directories.
func touch(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFirstFileInTheOrderIsFound(t *testing.T) {
	t.Parallel()
	dir, home := t.TempDir(), t.TempDir()
	var order []string
	for _, d := range []string{dir, home, filepath.Join(home, ".config", "mcp")} {
		for _, name := range []string{"mcp_config.json", "mcp.json", ".mcp.json", "mcp_servers.json", "servers.json", ".vscode/mcp.json"} {
			order = append(order, filepath.Join(d, name))
		}
	}
	for _, path := range order {
		touch(t, path, "broken")
	}
	for _, want := range order {
		got, err := Discover(dir, home)
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		if err := os.Remove(want); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingFoundSaysWhereItLooked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	touch(t, filepath.Join(dir, ".vscode"), "no directory")
	_, err := Discover(dir, dir)
	var missing *NotFoundError
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]string{dir, filepath.Join(dir, ".config", "mcp")}, missing.Dirs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := "no configuration in " + dir + ": looked for mcp_config.json, mcp.json, .mcp.json, mcp_servers.json, servers.json, " + filepath.Join(".vscode", "mcp.json")
	if _, err := Discover(dir, ""); err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestFoundButUnusableIsAnErrorAndNoneIsSkipped(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(path string) error{
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"dead link": func(path string) error { return os.Symlink("nowhere", path) },
	} {
		dir := t.TempDir()
		first := filepath.Join(dir, "mcp_config.json")
		if err := make(first); err != nil {
			t.Fatal(err)
		}
		touch(t, filepath.Join(dir, "mcp.json"), "{}")
		path, err := Discover(dir, "")
		var e *Error
		if !errors.As(err, &e) || e.Path != first || path != "" {
			t.Errorf("%s: got %q, %v", name, path, err)
		}
	}
}

func TestUnreadableFileIsAnErrorThatNamesItOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.json"): filepath.Join(dir, "none.json") + ": cannot be read: no such file or directory",
		dir:                             dir + ": cannot be read: is a directory",
	} {
		f, err := Load(path, nil)
		if got := sentence(t, err); got != want || f != nil {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.json"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", err)
	}
}

func TestLargeFileIsNotParsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "big.json")
	touch(t, path, "")
	if err := os.Truncate(path, 10<<20); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, nil)
	if got, want := sentence(t, err), path+": is larger than 1 MiB, the limit for a configuration"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
