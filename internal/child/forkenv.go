package child

import (
	"slices"
	"strings"
)

// ofInterpreter are what variables that an interpreter or the C library reads at its start begin with.
var ofInterpreter = []string{"PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_"}

// differs returns the name of a variable that matters and is not the same in two environments, or "". What matters
// is what imports have read: reads names it, and "*" is all of them.
func differs(base, env, reads []string) string {
	a, b := variables(base), variables(env)
	for _, vars := range []map[string]string{a, b} {
		for name := range vars {
			was, before := a[name]
			is, now := b[name]
			if was == is && before == now {
				continue
			}
			if slices.Contains(reads, "*") || slices.Contains(reads, name) ||
				slices.ContainsFunc(ofInterpreter, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
				return name
			}
		}
	}
	return ""
}

func variables(env []string) map[string]string {
	vars := make(map[string]string, len(env))
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	return vars
}
