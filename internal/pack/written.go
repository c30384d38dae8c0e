package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// Written returns the packed files of the project in dir that were written since a time and since they were
// packed, slash-separated from dir: on this machine the servers may write there, and where the app runs nobody may.
// What Python writes where it can and never misses does not count. A project that was never packed has none.
func Written(dir string, since time.Time) ([]string, error) {
	root := filepath.Join(dir, packmanifest.Folder)
	packed, err := os.Stat(filepath.Join(root, packmanifest.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if packed.ModTime().After(since) {
		since = packed.ModTime()
	}
	var names []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // a server is at it
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "__pycache__":
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if info.ModTime().After(since) {
			names = append(names, filepath.ToSlash(filepath.Join(packmanifest.Folder, path[len(root):])))
		}
		return nil
	})
	return names, err
}

// WrittenHint is what to do about a server that writes next to its code.
const WrittenHint = "packed files are read-only where the app runs: give the server another folder, such as one in /tmp, in its options or environment; or use --leave to start it as written"
