package process

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// folders are those that sandboxed children have to themselves. They lie below one folder that nobody else can
// write, which goes with the app: by close, or by the guard if the app is killed.
type folders struct {
	root string // is made with the first

	mu    sync.Mutex
	made  bool
	count int
	left  []string // by children that are gone
}

func newFolders(nonce string) folders {
	return folders{root: filepath.Join(os.TempDir(), "mcpfunc-"+strconv.Itoa(os.Getuid())+"-"+nonce)}
}

// add makes a folder with a home and a folder for temporary files in it.
func (f *folders) add() (dir string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.made {
		if err := os.Mkdir(f.root, 0o700); err != nil {
			return "", err
		}
		f.made = true
	}
	f.count++
	dir = filepath.Join(f.root, strconv.Itoa(f.count))
	for _, d := range []string{dir, filepath.Join(dir, "home"), filepath.Join(dir, "tmp")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// drop lets tidy remove a folder.
func (f *folders) drop(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = append(f.left, dir)
}

// tidy removes the folders that were dropped. What cannot be removed is left for close.
func (f *folders) tidy() {
	f.mu.Lock()
	left := f.left
	f.left = nil
	f.mu.Unlock()
	for _, dir := range left {
		removeAll(dir)
	}
}

// close removes all of them.
func (f *folders) close() {
	f.mu.Lock()
	made := f.made
	f.mu.Unlock()
	if made {
		removeAll(f.root)
	}
}

// removeAll removes a folder whose owner may have taken our rights to parts of it away.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
