package generator

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Write makes dir hold the plan, and returns what it did as Changes would have told it. It writes
// all or nothing: when anything is in the way it writes nothing and returns a *ConflictError with
// every conflict; when a write fails it takes back those before it.
//
// With force, differing files are written over, those edited under third_party/mcpfunc and, in mode
// Init, those of somebody else. A link, a directory or a device in the way is a conflict even then.
// Nothing outside dir is ever touched. Two writers at once are not kept apart, but neither can
// overwrite a file that the other has just created.
func (p *Plan) Write(dir string, mode Mode, force bool) ([]Change, error) {
	var undo undoList
	root, err := p.open(dir, mode, &undo)
	if err != nil {
		return nil, err
	}
	defer root.Close()

	steps, err := p.steps(root, mode)
	if err != nil {
		return nil, errors.Join(err, undo.run())
	}
	if conflicts := settle(steps, force); conflicts != nil {
		return nil, errors.Join(&ConflictError{Changes: conflicts}, undo.run())
	}
	w := writer{root: root, undo: &undo}
	if err := w.apply(steps); err != nil {
		return nil, errors.Join(err, undo.run())
	}
	return changesOf(steps), nil
}

// open opens dir, and in mode Init makes it first when it is not there.
func (p *Plan) open(dir string, mode Mode, undo *undoList) (*os.Root, error) {
	if mode == Init {
		if err := makeDirs(dir, undo); err != nil {
			return nil, errors.Join(err, undo.run())
		}
	}
	root, err := openRoot(dir)
	if err == nil && root == nil {
		err = isProject(nil)
	}
	if err != nil {
		return nil, errors.Join(err, undo.run())
	}
	return root, nil
}

// makeDirs is os.MkdirAll that can be taken back.
func makeDirs(dir string, undo *undoList) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDirs(filepath.Dir(filepath.Clean(dir)), undo); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	undo.add(func() error { return os.Remove(dir) })
	return nil
}

// settle returns the conflicts that are left, after turning into updates those that force allows.
func settle(steps []step, force bool) []Change {
	var left []Change
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Action != Conflict:
		case force && s.forcible:
			s.Action, s.Why = Update, ""
		default:
			left = append(left, s.Change)
		}
	}
	return left
}

// A writer changes files below root and notes how to take each change back.
type writer struct {
	root *os.Root
	undo *undoList
}

// apply makes the steps in the order that leaves the least to take back: everything that needs room
// on the disk first, then the renames, then what goes.
func (w writer) apply(steps []step) error {
	staged := map[string]string{} // path to the temporary file with its new bytes
	defer func() {
		for _, tmp := range staged {
			w.root.Remove(tmp)
		}
	}()
	for _, s := range steps {
		var err error
		switch s.Action {
		case Create:
			err = w.create(s.file)
		case Update:
			staged[s.Path], err = w.stage(s.Path, s.file.Data, s.file.Mode)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", s.Path, err)
		}
	}
	for _, s := range steps {
		if s.Action != Update {
			continue
		}
		if err := w.root.Rename(staged[s.Path], s.Path); err != nil {
			return fmt.Errorf("write %s: %w", s.Path, err)
		}
		delete(staged, s.Path)
		w.undo.add(func() error { return w.restore(s) })
	}
	for _, s := range steps {
		if s.Action != Remove {
			continue
		}
		if err := w.remove(s); err != nil {
			return fmt.Errorf("remove %s: %w", s.Path, err)
		}
	}
	return nil
}

// create writes a file that must not be there: O_EXCL, so that one which has appeared since the plan
// was compared is not lost, and no link is followed.
func (w writer) create(f File) error {
	if err := w.mkdirs(path.Dir(f.Path)); err != nil {
		return err
	}
	return w.writeNew(f.Path, f.Data, f.Mode)
}

func (w writer) writeNew(name string, data []byte, mode fs.FileMode) error {
	file, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	w.undo.add(func() error { return ignoreMissing(w.root.Remove(name)) })
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// stage writes data beside name, ready to be renamed over it.
func (w writer) stage(name string, data []byte, mode fs.FileMode) (string, error) {
	tmp := path.Join(path.Dir(name), ".mcpfunc-"+rand.Text())
	return tmp, w.writeNew(tmp, data, mode)
}

func (w writer) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	if err := w.mkdirs(path.Dir(dir)); err != nil {
		return err
	}
	err := w.root.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		w.undo.add(func() error { return ignoreMissing(w.root.Remove(dir)) })
	}
	return err
}

// remove removes a file, and the folders that it leaves empty.
func (w writer) remove(s step) error {
	if err := w.root.Remove(s.Path); err != nil {
		return err
	}
	w.undo.add(func() error { return w.restore(s) })
	for dir := path.Dir(s.Path); dir != "."; dir = path.Dir(dir) {
		if w.root.Remove(dir) != nil {
			break // not empty, so not ours to remove
		}
	}
	return nil
}

// restore puts back the file that a step found.
func (w writer) restore(s step) error {
	if err := w.root.MkdirAll(path.Dir(s.Path), 0o777); err != nil {
		return err
	}
	aside := writer{root: w.root, undo: &undoList{}}
	tmp, err := aside.stage(s.Path, s.found.data, s.found.mode)
	if err != nil {
		return errors.Join(err, aside.undo.run())
	}
	return w.root.Rename(tmp, s.Path)
}

// An undoList takes changes back, the last one first.
type undoList struct{ steps []func() error }

func (u *undoList) add(f func() error) { u.steps = append(u.steps, f) }

func (u *undoList) run() error {
	var errs []error
	for i := len(u.steps) - 1; i >= 0; i-- {
		if err := u.steps[i](); err != nil {
			errs = append(errs, fmt.Errorf("take back: %w", err))
		}
	}
	u.steps = nil
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
