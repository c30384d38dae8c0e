package generator

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// An entry is what exists at a path of the project.
type entry struct {
	exists  bool
	blocked string      // why nothing may be read or written there, with the path of what is in the way
	mode    fs.FileMode // of a regular file
	data    []byte      // its bytes
}

// look reads what is at name without following a link, neither at name nor on the way to it:
// os.Root would stop a link that leaves the project, but one that stays inside leads to a file that
// the plan does not name. In a nil root there is nothing.
func look(root *os.Root, name string) (entry, error) {
	if root == nil {
		return entry{}, nil
	}
	parts := strings.Split(name, "/")
	for i := range parts {
		at := path.Join(parts[:i+1]...)
		info, err := root.Lstat(at)
		switch leaf := i == len(parts)-1; {
		case errors.Is(err, fs.ErrNotExist):
			return entry{}, nil
		case err != nil:
			return entry{}, err
		case info.Mode()&fs.ModeSymlink != 0:
			return entry{exists: leaf, blocked: at + " is a symbolic link"}, nil
		case !leaf && !info.IsDir():
			return entry{blocked: at + " is not a directory"}, nil
		case leaf && info.IsDir():
			return entry{exists: true, blocked: at + " is a directory"}, nil
		case leaf && !info.Mode().IsRegular():
			return entry{exists: true, blocked: at + " is not a regular file"}, nil
		case leaf:
			data, err := root.ReadFile(at)
			return entry{exists: true, mode: info.Mode().Perm(), data: data}, err
		}
	}
	return entry{}, nil
}

// openRoot opens dir, or returns nil when there is no such directory.
func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return root, err
}
