package pack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// stagePrefix begins the names of stages. The ignore files of a project and package funczip know it.
const stagePrefix = ".mcpfunc-pack-"

// Folders of a stage that do not stay: for files of the run, and in it for what the project had before.
const (
	workFolder  = ".work"
	atticFolder = "old"
)

// placed is what a run puts into the project, in this order.
func placed() []string { return []string{LockFolder, packmanifest.Folder, SBOMName} }

// staleAfter is the age of a stage at which no run works in it any more. Nothing is lost by waiting: it
// is in no package.
const staleAfter = time.Hour

// sweep clears up after runs in dir that were killed. What one had moved away and not replaced is put
// back, and stages that were made long before now are removed.
func sweep(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), stagePrefix) {
			continue
		}
		stage := filepath.Join(dir, e.Name())
		for _, name := range placed() {
			if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			err := os.Rename(filepath.Join(stage, workFolder, atticFolder, name), filepath.Join(dir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < staleAfter {
			continue // it may be gone by now, too: a run at the same time ends
		}
		if err := unseal(stage); err != nil { // it was killed while servers were tried
			return err
		}
		if err := os.RemoveAll(stage); err != nil {
			return err
		}
	}
	return nil
}
