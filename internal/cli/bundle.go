package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

// What is copied from a bundle's folder into a project: not a repository, and no more than can be
// published. An archive was held to the same before it was taken.
const (
	bundleFiles = 50_000
	bundleBytes = 1 << 30
)

// bundleConflict says why the programs of servers cannot be written into the project in dir.
func bundleConflict(dir string, servers []importer.Server) error {
	for _, s := range servers {
		if s.Files == nil {
			continue
		}
		where := filepath.Join(dir, filepath.FromSlash(s.Folder))
		if _, err := os.Lstat(where); !errors.Is(err, fs.ErrNotExist) {
			return withHint(fmt.Errorf("%s already exists, and the program of %s would be written there", where, s.Name), "move it away, or remove it")
		}
	}
	return nil
}

// layBundles lays the programs that came with servers down in the project in dir, and says so.
func layBundles(dir string, servers []importer.Server) ([]generator.Change, error) {
	var changes []generator.Change
	for _, s := range servers {
		if s.Files == nil {
			continue
		}
		if err := layBundle(dir, s); err != nil {
			return nil, fmt.Errorf("write the program of %s: %w", s.Name, err)
		}
		changes = append(changes, generator.Change{Path: s.Folder + "/", Action: generator.Create})
	}
	return changes, nil
}

// layBundle copies plain files below the folder of a server. Links are left out: they could lead out of
// the bundle.
func layBundle(dir string, s importer.Server) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder := filepath.FromSlash(s.Folder)
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	files, size := 0, int64(0)
	return fs.WalkDir(s.Files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return root.MkdirAll(filepath.Join(folder, filepath.FromSlash(name)), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if size += info.Size(); files > bundleFiles || size > bundleBytes {
			return fmt.Errorf("contains more than %d files or %d MiB", bundleFiles, bundleBytes>>20)
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o111 != 0 || s.Parsed.Command == s.Folder+"/"+name || strings.TrimPrefix(s.Parsed.Command, "./") == s.Folder+"/"+name {
			mode = 0o755
		}
		return layFile(root, filepath.Join(folder, filepath.FromSlash(name)), mode, s.Files, name, info.Size())
	})
}

// layFile copies one file, which must be as long as it says.
func layFile(root *os.Root, to string, mode fs.FileMode, from fs.FS, name string, size int64) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%s is not as long as its header says", name)
	}
	return errors.Join(err, out.Close())
}
