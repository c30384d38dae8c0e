package packmanifest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// mirror links each entry of a folder but one into another, where that one is. Links of a package that was at the same
// place before are removed.
func mirror(from, into, but string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	wanted := map[string]bool{but: true}
	for _, e := range entries {
		if e.Name() == but {
			continue
		}
		wanted[e.Name()] = true
		if err := link(filepath.Join(from, e.Name()), filepath.Join(into, e.Name())); err != nil {
			return err
		}
	}
	return dropLinks(into, wanted)
}

// link makes a symbolic link, unless it is there already. Another start of the app may be at it as well.
func link(target, name string) error {
	for range 2 {
		err := os.Symlink(target, name)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if is, err := os.Readlink(name); err == nil && is == target {
			return nil
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("%s: %w", name, fs.ErrExist)
}

// dropLinks removes the links that are not wanted.
func dropLinks(dir string, wanted map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 || wanted[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
