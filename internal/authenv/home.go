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

// AtHome returns env for a process that can write nowhere but in folders of its own, and where a server's
// configuration lets it. home and temp are where programs look for these, and what they keep is below home; what
// the configuration itself sets is not touched.
func AtHome(env []string, set map[string]string, home, temp string) []string {
	own := slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, written := set[name]
		return !written && (slices.Contains(homes, name) || slices.Contains(kept, name))
	})
	for _, name := range homes {
		if _, written := set[name]; written || strings.HasPrefix(name, "XDG_") {
			continue
		}
		dir := temp
		if name == "HOME" {
			dir = home
		}
		own = append(own, name+"="+dir)
	}
	return own
}

// homes are what a process at home has otherwise. Those of XDG it has by default, below HOME.
var homes = []string{"HOME", "TMPDIR", "TMP", "TEMP", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"}

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
