package packmanifest

import (
	"os"
	"path/filepath"
	"testing"
)

// treeServer is a project with a server whose files hold a program.
func treeServer(t *testing.T) *Starter {
	t.Helper()
	s := starter(t, "node")
	for name, text := range map[string]string{"packed/fs/bin/rg": "program", "notes/a.txt": "of the project"} {
		path := filepath.Join(s.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := TreeSum(filepath.Join(s.Dir, "packed", "fs"))
	if err != nil {
		t.Fatal(err)
	}
	server := s.File.Servers["fs"]
	server.Tree, server.Start.Program = tree, ""
	server.Start.Executables = []string{"packed/fs/bin/rg"}
	s.File.Servers["fs"] = server
	return s
}

func launchTree(t *testing.T, s *Starter) (root string) {
	t.Helper()
	launch, err := s.Launch("fs", s.File.Servers["fs"].From, s.File.Servers["fs"].From.Args)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(launch.Args[0])))
}

// A module looks for its program beside itself, so the whole server starts from where that is executable.
func TestServerWithProgramsStartsFromACopy(t *testing.T) {
	t.Parallel()
	s := treeServer(t)
	root := launchTree(t, s)
	if real, err := filepath.EvalSymlinks(filepath.Join(root, "packed/fs/index.js")); err != nil || real == filepath.Join(s.Dir, "packed/fs/index.js") {
		t.Errorf("the script is %s, %v, want a copy", real, err)
	}
	for name, want := range map[string]os.FileMode{"packed/fs/bin/rg": 0o500, "packed/fs/index.js": 0o400} {
		if info, err := os.Lstat(filepath.Join(root, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want the mode %v", name, info, err, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "notes/a.txt")); err != nil || string(text) != "of the project" {
		t.Errorf("the rest of the project is %q, %v", text, err)
	}

	// What an earlier start left is used again as long as it is what was packed.
	before, err := os.Stat(filepath.Join(root, "packed/fs/bin/rg"))
	if err != nil {
		t.Fatal(err)
	}
	if again := launchTree(t, s); again != root {
		t.Errorf("the copy moved from %s to %s", root, again)
	}
	if now, err := os.Stat(filepath.Join(root, "packed/fs/bin/rg")); err != nil || !os.SameFile(before, now) {
		t.Errorf("a copy that is right was made again: %v", err)
	}
	for _, spoil := range []func(path string) error{
		func(path string) error { return os.Chmod(path, 0o400) },
		func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), "more"), []byte("planted"), 0o600)
		},
		os.Remove,
	} {
		if err := spoil(filepath.Join(root, "packed/fs/bin/rg")); err != nil {
			t.Fatal(err)
		}
		if again := launchTree(t, s); again != root || !holdsTree(root, "fs", s.File.Servers["fs"]) {
			t.Errorf("after it was changed the copy in %s has changed since it was packed", again)
		}
	}
}

func TestServerThatIsNotWhatWasPackedIsNotCopied(t *testing.T) {
	t.Parallel()
	s := treeServer(t)
	if err := os.WriteFile(filepath.Join(s.Dir, "packed/fs/more.js"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	server := s.File.Servers["fs"]
	if launch, err := s.Launch("fs", server.From, server.From.Args); err == nil {
		t.Errorf("it starts as %v", launch)
	}
}
