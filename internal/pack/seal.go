package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// A sealed is what was packed, in the stage, as it lies where the app runs: nobody may write there, and nothing
// is executable. Not everybody is stopped by modes: those of a file its owner may change, and root need not
// heed them. So what a server has changed is looked for as well.
type sealed struct {
	stage string
	state map[string]entryState
}

// An entryState is what a change to a file or folder shows in.
type entryState struct {
	mode fs.FileMode
	size int64
	time time.Time
}

// seal takes the right to write and to execute from everything in packed.
func (r *run) seal() (*sealed, error) {
	s := &sealed{stage: r.stage}
	err := setModes(filepath.Join(r.stage, packmanifest.Folder), 0o444, 0o555)
	if err == nil {
		err = os.Chmod(s.stage, 0o555)
	}
	if err == nil {
		s.state, err = stateOf(s.stage)
	}
	if err != nil {
		return nil, errors.Join(err, unseal(s.stage))
	}
	return s, nil
}

// unseal gives the right to write in a stage back, without which it could be neither moved nor removed.
func unseal(stage string) error {
	err := setModes(filepath.Join(stage, packmanifest.Folder), 0o644, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(os.Chmod(stage, 0o755), err)
}

// changed returns what is not as it was when it was sealed, slash-separated in the project.
func (s *sealed) changed() ([]string, error) {
	now, err := stateOf(s.stage)
	if err != nil {
		return nil, err
	}
	var names []string
	for name, state := range now {
		if was, ok := s.state[name]; !ok || !state.same(was) {
			names = append(names, name)
		}
	}
	for name := range s.state {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (e entryState) same(f entryState) bool {
	return e.mode == f.mode && e.size == f.size && e.time.Equal(f.time)
}

// A writeError says that a server changed what it cannot change where the app runs.
func writeError(names []string) error {
	return refuse(WrittenHint, "it writes next to its code: %s", andMore(names))
}

// andMore names the first of several files, and how many there are besides.
func andMore(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %s", names[0], plural(len(names)-1, "more file"))
}

// stateOf returns the state of a stage: of what is packed in it, and of what of the project it is linked to.
// Files beside the configuration, folders that tools keep to themselves, and what Python writes where it can and never misses do not count.
func stateOf(stage string) (map[string]entryState, error) {
	entries, err := os.ReadDir(stage)
	if err != nil {
		return nil, err
	}
	state := map[string]entryState{}
	for _, e := range entries {
		name := e.Name()
		if name == workFolder || name == LockFolder || name == SBOMName {
			continue
		}
		root, err := filepath.EvalSymlinks(filepath.Join(stage, name))
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(root); err == nil && !info.IsDir() {
			continue // what is printed here may go to a file beside the configuration
		}
		if err := addState(state, root, name); err != nil {
			return nil, err
		}
	}
	return state, nil
}

func addState(state map[string]entryState, root, name string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else works in the project
		}
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "__pycache__") {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		e := entryState{mode: info.Mode()}
		if !d.IsDir() { // a folder's is that of what is in it
			e.size, e.time = info.Size(), info.ModTime()
		}
		state[filepath.ToSlash(filepath.Join(name, rel))] = e
		return err
	})
}

// setModes sets the modes of everything in dir: folders first on the way to more rights, as on the way to less.
func setModes(dir string, files, folders fs.FileMode) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			if err := os.Chmod(path, folders); err != nil {
				return err
			}
			return nil // where it could not be read, it is now
		}
		if err != nil {
			return err
		}
		if err := os.Chmod(path, files); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
