package process

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// folders are those that sandboxed children have to themselves. They are in one folder that no other user can
// write, which goes with the app: by close, or by the guard if the app is killed. Where there is no guard, another app
// of the same user removes it, because its lock is no longer held.
type folders struct {
	root string // is made with the first

	mu    sync.Mutex
	lock  *os.File // of root; nil before that is made
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
	if f.lock == nil {
		removeDeserted(f.root)
		if err := os.Mkdir(f.root, 0o700); err != nil {
			return "", err
		}
		if f.lock, err = lock(f.root); err != nil {
			return "", err
		}
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
	defer f.mu.Unlock()
	if f.lock != nil {
		removeAll(f.root)
		f.lock.Close()
		f.lock = nil
	}
}

// lock locks a folder of this process until the file is closed, or the process ends.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// unlockedTime is how long a folder may be there without being locked.
const unlockedTime = time.Minute

// removeDeserted removes the folders of apps that are gone, which are named as root is.
func removeDeserted(root string) {
	others, _ := filepath.Glob(root[:strings.LastIndex(root, "-")] + "-*")
	for _, dir := range others {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) || time.Since(info.ModTime()) < unlockedTime {
			continue
		}
		if f, err := lock(dir); err == nil {
			removeAll(dir)
			f.Close()
		}
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
