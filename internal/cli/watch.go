package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mcpfunc/mcpfunc/internal/manifest"
)

// quietTime is how long files must rest before a change counts: editors write in several steps,
// and a version control system changes many files at once.
const quietTime = 200 * time.Millisecond

// A watcher follows the sources of a project.
type watcher struct {
	dir   string
	files *fsnotify.Watcher
	seen  [sha256.Size]byte // fingerprint at the last look
}

func newWatcher(dir string) (*watcher, error) {
	files, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	w := &watcher{dir: dir, files: files}
	if err := w.addTree(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), files.Close())
	}
	return w, nil
}

// Close ends the watching.
func (w *watcher) Close() error { return w.files.Close() }

// next waits until the sources differ from those of the last look and have come to rest. It
// reports false when ctx ended first.
func (w *watcher) next(ctx context.Context) (bool, error) {
	quiet := time.NewTimer(quietTime)
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case err, open := <-w.files.Errors:
			// An overflow means that events were lost, not that nothing happened.
			if !open || !errors.Is(err, fsnotify.ErrEventOverflow) {
				return false, fmt.Errorf("watch %s: %w", w.dir, err)
			}
			quiet.Reset(quietTime)
		case event, open := <-w.files.Events:
			if !open {
				return false, fmt.Errorf("watch %s: %w", w.dir, fsnotify.ErrClosed)
			}
			if event.Has(fsnotify.Create) {
				// A folder may be gone again by now, and a file is not a folder.
				if info, err := os.Stat(event.Name); err == nil && info.IsDir() {
					_ = w.addTree(event.Name)
				}
			}
			quiet.Reset(quietTime)
		case <-quiet.C:
			changed, err := w.look()
			if changed || err != nil {
				return changed, err
			}
		}
	}
}

// look takes the fingerprint of the sources and reports whether it is a new one. What writing left
// as it was, our own bringing in line included, is no change.
func (w *watcher) look() (changed bool, err error) {
	h := sha256.New()
	err = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone while we walked
		case err != nil:
			return err
		case d.IsDir() && w.ignores(path):
			return filepath.SkipDir
		case d.IsDir() || !isSource(path):
			return nil
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		fmt.Fprintf(h, "%q %d\n", path, len(data))
		h.Write(data)
		return err
	})
	if err != nil {
		return false, err
	}
	before := w.seen
	h.Sum(w.seen[:0])
	return before != w.seen, nil
}

// addTree watches a folder and those below it, as the systems watch single folders.
func (w *watcher) addTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case w.ignores(path):
			return filepath.SkipDir
		}
		return w.files.Add(path)
	})
}

// ignores reports whether a folder holds no sources of the project: the carried runtime, which is
// generated, and what tools put there.
func (w *watcher) ignores(dir string) bool {
	if dir == w.dir {
		return false
	}
	name := filepath.Base(dir)
	return strings.HasPrefix(name, ".") || slices.Contains([]string{"third_party", "node_modules", "__pycache__", "infra", "packed", "mcp_lock"}, name)
}

// isSource reports whether the handler, or how it is served, can depend on a file.
func isSource(path string) bool {
	name := filepath.Base(path)
	switch name {
	case "go.mod", "go.sum", configName, manifest.Name, "host.json", "function.json", "local.settings.json":
		return true
	}
	return strings.HasSuffix(name, ".env") || filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go")
}
