package authenv

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kept are the variables that say where a program keeps what it has downloaded or made: each has a
// default below HOME.
var kept = []string{
	"XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
	"UV_CACHE_DIR", "UV_TOOL_DIR", "UV_PYTHON_INSTALL_DIR", "PIP_CACHE_DIR", "NPM_CONFIG_CACHE",
}

// settle gives base a HOME that can be written to, which a Functions app does not always have, and
// takes away the folders of kept that cannot be, so that they are below HOME again. Without it uvx and
// npx fail before they have looked at a package. What the configuration says of them is not touched.
func settle(base []string, writable func(dir string) bool) []string {
	base = slices.DeleteFunc(slices.Clone(base), func(entry string) bool {
		name, dir, _ := strings.Cut(entry, "=")
		return (name == "HOME" || slices.Contains(kept, strings.ToUpper(name))) && !writable(dir)
	})
	if !slices.ContainsFunc(base, func(entry string) bool { return strings.HasPrefix(entry, "HOME=") }) {
		base = append(base, "HOME="+os.TempDir())
	}
	return base
}

// writableDir reports whether dir can be written to, or made: the nearest folder above it that is there
// decides.
func writableDir(dir string) bool {
	if !filepath.IsAbs(dir) {
		return false // it would depend on the process's working directory
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil:
			return info.IsDir() && accessible(dir)
		case !os.IsNotExist(err) || dir == filepath.Dir(dir):
			return false
		}
		dir = filepath.Dir(dir)
	}
}
