package generator

import (
	"slices"
	"strings"
)

// reservedModules are the first elements of the standard library's import paths, as of Go 1.26, and
// the words that the go command keeps for patterns of its own (go help packages). A module of such a
// name builds no program: its root package is ambiguous with the library's, or cannot be named.
var reservedModules = strings.Fields(`archive bufio builtin bytes cmp compress container context crypto
	database debug embed encoding errors expvar flag fmt go hash html image index io iter log maps math
	mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall
	testing text time unicode unique unsafe weak
	all cmd std tool work`)

// reservedModule reports whether a module path is Go's own.
func reservedModule(module string) bool {
	first, _, _ := strings.Cut(module, "/")
	return slices.Contains(reservedModules, first)
}

// moduleFor returns the module path of an app that was given none: its name, or where that is Go's own
// the name with "-app" behind it.
func moduleFor(name string) string {
	if reservedModule(name) {
		return name + "-app"
	}
	return name
}
