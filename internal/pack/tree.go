package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// treeSize returns the bytes of all files below dir, and how many files there are.
func treeSize(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		bytes += info.Size()
		files++
		return nil
	})
	return bytes, files, err
}

// copyTree copies the files below from, but for folders of the names in but.
func copyTree(to, from string, but ...string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && path != from && slices.Contains(but, d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		return copyFile(target, path, 0o644)
	})
}

func copyFile(to, from string, mode fs.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}

// swap puts the entry name of stage in the place of that of dir. What was there is moved to attic,
// so that there is no moment with half of either; between the two moves there is neither, and sweep
// brings the old one back if the run is killed there.
func swap(dir, stage, attic, name string) error {
	target := filepath.Join(dir, name)
	if err := os.Rename(target, filepath.Join(attic, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(filepath.Join(stage, name), target); err != nil {
		return errors.Join(err, os.Rename(filepath.Join(attic, name), target))
	}
	return nil
}

// mirror links everything of the project in dir into stage but what a run creates, so that the
// stage can be started as if it were the project.
func mirror(stage, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		target := filepath.Join(stage, e.Name())
		if _, err := os.Lstat(target); err == nil || filepath.Join(dir, e.Name()) == stage || e.Name() == packmanifest.Folder || e.Name() == LockFolder {
			continue
		}
		if err := os.Symlink(filepath.Join(dir, e.Name()), target); err != nil {
			return err
		}
	}
	return nil
}
