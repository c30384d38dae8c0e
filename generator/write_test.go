package generator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func actions(cs []Change) map[string]Action {
	m := map[string]Action{}
	for _, c := range cs {
		m[c.Path] = c.Action
	}
	return m
}

func conflicts(t *testing.T, err error) []Change {
	t.Helper()
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("got error %v, want a *ConflictError", err)
	}
	return conflict.Changes
}

func TestWriteMakesTheFolderAndSaysWhatItDid(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "app")
	made := plan(t, withServers("git"))
	told, err := made.Changes(dir, Init, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("Changes made the folder")
	}
	did, err := made.Write(dir, Init, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(told, did); diff != "" {
		t.Errorf("Changes and Write differ (-told +did):\n%s", diff)
	}
	for _, c := range did {
		if c.Action != Create {
			t.Errorf("%s %s, want create", c.Action, c.Path)
		}
	}
	again, err := made.Write(dir, Init, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range again {
		if c.Action != Unchanged {
			t.Errorf("the second time: %s %s, want unchanged", c.Action, c.Path)
		}
	}
}

func TestConflictsAreNamedAllAtOnceAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"host.json": "theirs", "README.md": "theirs", "go.mod/x": "a folder", "health": "a file"})
	before := tree(t, dir)
	_, err := plan(t, withServers("git")).Write(dir, Init, false)
	want := []Change{
		{Path: "README.md", Action: Conflict, Why: "README.md exists and differs"},
		{Path: "go.mod", Action: Conflict, Why: "go.mod is a directory"},
		{Path: "health/function.json", Action: Conflict, Why: "health is not a directory"},
		{Path: "host.json", Action: Conflict, Why: "host.json exists and differs"},
	}
	if diff := cmp.Diff(want, conflicts(t, err)); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("folder changed (-before +after):\n%s", diff)
	}
}

func TestForceWritesOverFilesButNotOverFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir, map[string]string{"host.json": "theirs", "other.txt": "theirs"})
	made := plan(t, withServers("git"))
	did, err := made.Write(dir, Init, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := actions(did)["host.json"]; got != Update {
		t.Errorf("host.json: %s, want update", got)
	}
	after := tree(t, dir)
	if after["host.json"] != file(t, made, "host.json") || after["other.txt"] != "theirs" {
		t.Errorf("host.json is not the plan's, or other.txt was touched")
	}

	dir = t.TempDir()
	put(t, dir, map[string]string{"host.json/x": "a folder"})
	_, err = made.Write(dir, Init, true)
	if got := conflicts(t, err); len(got) != 1 || got[0].Why != "host.json is a directory" {
		t.Errorf("conflicts are %v", got)
	}
}

// T61: links, to the inside as to the outside, as a file and on the way to one.
func TestLinksAreConflictsEvenWithForce(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, outside, map[string]string{"host.json": "outside", "app/x": "outside"})
	links := map[string]string{
		"host.json":           filepath.Join(outside, "host.json"),
		"main.go":             "inside.txt",
		"README.md":           "nowhere",
		"third_party":         outside,
		"mcp-git":             filepath.Join(outside, "app"),
		"health":              "inside",
		"go.mod":              "../go.mod",
		".funcignore":         "/etc/hostname",
		"landing":             ".",
		"metrics":             "..",
		"session-metrics":     "nowhere",
		"mcp/function.json":   "../inside.txt",
		"local.settings.json": "local.settings.json",
	}
	dir := t.TempDir()
	put(t, dir, map[string]string{"inside.txt": "inside", "inside/x": "inside", "mcp/x": "x"})
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	before, beforeOutside := tree(t, dir), tree(t, outside)
	_, err := plan(t, withServers("git")).Write(dir, Init, true)
	named := map[string]bool{}
	for _, c := range conflicts(t, err) {
		link, ok := strings.CutSuffix(c.Why, " is a symbolic link")
		if !ok {
			t.Errorf("%s: %s", c.Path, c.Why)
		}
		named[link] = true
	}
	for name := range links {
		if !named[name] {
			t.Errorf("no conflict names %s", name)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("folder changed:\n%s", diff)
	}
	if diff := cmp.Diff(beforeOutside, tree(t, outside)); diff != "" {
		t.Errorf("something outside changed:\n%s", diff)
	}
}

// A plan that is not from Plan may hold anything; it stays inside all the same.
func TestPlannedPathsCannotLeave(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../x", "a/../../x", "/tmp/x", "..", "."} {
		top := t.TempDir()
		dir := filepath.Join(top, "app")
		made := &Plan{Files: []File{{Path: path, Data: []byte("x"), Mode: 0o644}}}
		if _, err := made.Write(dir, Init, true); err == nil {
			t.Errorf("%q was written", path)
		}
		if left := tree(t, top); len(left) != 0 {
			t.Errorf("%q left %v", path, left)
		}
	}
}

func TestAFailureTakesBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	files := []File{ // "z" cannot be a file and a folder
		{Path: "host.json", Data: []byte("new")},
		{Path: "new/deep/x", Data: []byte("new")},
		{Path: "z", Data: []byte("new")},
		{Path: "z/inside", Data: []byte("new")},
	}
	for i := range files {
		files[i].Mode = 0o644
	}
	for name, made := range map[string]*Plan{
		"while creating": {Files: files},
		"while removing": {Files: files[:3], Prune: []string{"old/x", "old/x"}}, // gone the second time
	} {
		dir := t.TempDir()
		put(t, dir, map[string]string{"host.json": "old", "old/x": "old"})
		before := tree(t, dir)
		if _, err := made.Write(dir, Init, true); err == nil {
			t.Errorf("%s: no error", name)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("%s: folder changed (-before +after):\n%s", name, diff)
		}
	}

	top := t.TempDir()
	if _, err := (&Plan{Files: files}).Write(filepath.Join(top, "a", "b"), Init, false); err == nil {
		t.Error("in a new folder: no error")
	}
	if left := tree(t, top); len(left) != 0 {
		t.Errorf("in a new folder: left %v", left)
	}
}

// T60: over trees of any kind, what was there is there afterwards, byte for byte; and a refusal
// leaves nothing of its own.
func TestNothingThatWasThereChangesWithoutForce(t *testing.T) {
	t.Parallel()
	made := plan(t, withServers("git", "time"))
	refused := 0
	for seed := range uint64(200) {
		dir := t.TempDir()
		before := randomTree(t, rand.New(rand.NewPCG(seed, 0)), dir, made)
		_, err := made.Write(dir, Init, false)
		after := tree(t, dir)
		if err != nil {
			conflicts(t, err)
			refused++
			if diff := cmp.Diff(before, after); diff != "" {
				t.Fatalf("seed %d: refused, but changed the folder (-before +after):\n%s", seed, diff)
			}
			continue
		}
		for name, text := range before {
			if after[name] != text {
				t.Fatalf("seed %d: %s was %q and is %q", seed, name, text, after[name])
			}
		}
	}
	if refused == 0 || refused == 200 {
		t.Errorf("%d of 200 trees were refused: they do not try both ways", refused)
	}
}

// randomTree puts a few things into dir, at places that the plan wants or near them, and returns it.
func randomTree(t *testing.T, r *rand.Rand, dir string, p *Plan) map[string]string {
	t.Helper()
	for range r.IntN(4) {
		f := p.Files[r.IntN(len(p.Files))]
		parts := strings.Split(f.Path, "/")
		name := strings.Join(parts[:1+r.IntN(len(parts))], "/")
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
			continue // a file is on the way
		}
		var err error
		switch r.IntN(6) {
		case 0, 1:
			err = os.WriteFile(path, f.Data, 0o600) // the same, where it is the file itself
		case 2:
			err = os.WriteFile(path, fmt.Appendf(nil, "theirs %d", r.Int()), 0o644)
		case 3:
			err = os.WriteFile(path+".bak", []byte("theirs"), 0o644)
		case 4:
			err = os.Mkdir(path, 0o755)
		case 5:
			err = os.Symlink([]string{"..", "x", "host.json", dir}[r.IntN(4)], path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree(t, dir)
}
