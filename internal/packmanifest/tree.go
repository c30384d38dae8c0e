package packmanifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// TreeSum returns a digest of the names and contents of all files below dir, but for folders of
// the names in but. Modes do not count: they are lost on the way to Azure. Links are an error, since
// a zip of Core Tools has none.
func TreeSum(dir string, but ...string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && slices.Contains(but, d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		sum, err := Sum(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		fmt.Fprintf(h, "%q %s\n", filepath.ToSlash(rel), sum)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// unpackTree is unpack for all files of a server, which find the programs among them from where they lie
// themselves: a module looks beside its own, real path, so links would lead it back to where nothing can be
// run. It returns a folder that looks like the project in dir: the server's files are copied, and whatever
// else the project has is linked.
func unpackTree(dir, name string, server Server, temp string) (string, error) {
	private, err := privateDir(temp)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256([]byte(strings.Join(append([]string{server.Tree, dir, name}, server.Start.Executables...), "\x00")))
	target := filepath.Join(private, hex.EncodeToString(id[:]))
	if !holdsTree(target, name, server) {
		if err := copyServer(private, target, dir, name, server); err != nil {
			return "", err
		}
	}
	return target, mirror(dir, target, Folder)
}

// holdsTree reports whether the copy of a server is whole and as it was packed.
func holdsTree(target, name string, server Server) bool {
	sum, err := TreeSum(filepath.Join(target, Folder, name))
	if err != nil || sum != server.Tree {
		return false
	}
	for _, file := range server.Start.Executables {
		info, err := os.Lstat(filepath.Join(target, filepath.FromSlash(file)))
		if err != nil || info.Mode().Perm()&0o500 != 0o500 {
			return false
		}
	}
	return true
}

// copyServer makes the copy of a server under another name, and puts it in place whole. Processes of one
// that it replaces go on with the files that they have open.
func copyServer(private, target, dir, name string, server Server) error {
	dropHalves(private, time.Now())
	half, err := os.MkdirTemp(private, halfPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(half)
	fresh, tree := filepath.Join(half, "new"), path.Join(Folder, name)
	root := filepath.Join(dir, filepath.FromSlash(tree))
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		to := filepath.Join(fresh, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		mode := fs.FileMode(0o400)
		if slices.Contains(server.Start.Executables, filepath.ToSlash(rel)) {
			mode = 0o500
		}
		return copyOne(to, file, mode)
	})
	if err != nil {
		return err
	}
	if sum, err := TreeSum(filepath.Join(fresh, filepath.FromSlash(tree))); err != nil || sum != server.Tree {
		return errors.Join(err, fmt.Errorf("%s has changed since it was packed", tree))
	}
	if err := os.Rename(target, filepath.Join(half, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = os.Rename(fresh, target)
	if err != nil && holdsTree(target, name, server) {
		return nil // another start of the app was faster
	}
	return err
}

func copyOne(to, from string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
