package packmanifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// unpackBeside is unpack for a program that looks for other files in its own folder, those of beside: each
// entry of it is linked next to the copy. Files that are not run need no mode, and so are not copied; a
// .NET server would be 5 MB of them, and one that brings its runtime 80.
//
// The folder of the copy is named after both, so that it is shared by apps of one package and by no others.
func unpackBeside(path, sum, beside, temp string) (string, error) {
	private, err := privateDir(temp)
	if err != nil {
		return "", err
	}
	name := sha256.Sum256([]byte(sum + "\x00" + beside))
	dir := filepath.Join(private, hex.EncodeToString(name[:]))
	target, err := unpackTo(dir, path, sum)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(beside)
	if err != nil {
		return "", err
	}
	wanted := map[string]bool{filepath.Base(path): true}
	for _, e := range entries {
		if wanted[e.Name()] {
			continue // the program itself
		}
		wanted[e.Name()] = true
		if err := link(filepath.Join(beside, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
	}
	return target, dropLinks(dir, wanted)
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

// dropLinks removes links of a package that was at the same place before.
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
