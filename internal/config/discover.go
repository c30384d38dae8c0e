package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// names are the file names of a configuration, in the order in which a directory is searched.
func names() []string {
	return []string{"mcp_config.json", "mcp.json", ".mcp.json", "mcp_servers.json", "servers.json", filepath.Join(".vscode", "mcp.json")}
}

// A NotFoundError says that no configuration is where Discover looks. It is an fs.ErrNotExist.
type NotFoundError struct {
	Dirs  []string // in the order of the search
	Names []string // that were looked for in each
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no configuration in %s: looked for %s", strings.Join(e.Dirs, ", "), strings.Join(e.Names, ", "))
}

// Unwrap returns fs.ErrNotExist.
func (e *NotFoundError) Unwrap() error { return fs.ErrNotExist }

// Discover returns the path of the configuration for a program that runs in dir for a person whose
// home directory is home; an empty home is not searched. It looks into dir, home and
// home/.config/mcp, in each for mcp_config.json, mcp.json, .mcp.json, mcp_servers.json, servers.json
// and .vscode/mcp.json.
//
// The first that exists is the one, whatever state it is in: if it is a directory or cannot be
// opened that is an *Error, since going on would quietly run another configuration. When there is
// none the error is a *NotFoundError.
func Discover(dir, home string) (path string, err error) {
	missing := &NotFoundError{Dirs: []string{dir}, Names: names()}
	if home != "" {
		if filepath.Clean(home) != filepath.Clean(dir) {
			missing.Dirs = append(missing.Dirs, home)
		}
		missing.Dirs = append(missing.Dirs, filepath.Join(home, ".config", "mcp"))
	}
	for _, d := range missing.Dirs {
		for _, name := range missing.Names {
			path := filepath.Join(d, name)
			// Lstat, so that a link to nowhere is found and then reported.
			if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				continue
			} else if err != nil {
				return "", unreadable(path, err)
			}
			if err := readable(path); err != nil {
				return "", err
			}
			return path, nil
		}
	}
	return "", missing
}

// readable says why the file at path cannot be read.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return &Error{Path: path, Err: errors.New("is a directory or a device, not a file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return unreadable(path, err)
	}
	return f.Close()
}
