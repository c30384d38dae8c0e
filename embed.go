// Package mcpfunc holds the sources of the module that a generated project carries with it, so that
// a scaffold builds offline and without a published release. Programs import the runtime,
// github.com/mcpfunc/mcpfunc/runtime, and not this package.
package mcpfunc

import (
	"embed"
	"io/fs"
	"strings"
	"testing/fstest"
)

// The packages below are the runtime and what it imports, on whatever system; a test compares them
// with what the go command lists. The module files are named otherwise than they will be, because a
// folder with a go.mod is a module of its own and not embedded.
//
//go:generate go test -run ^TestCarriedModuleIsTidy$ . -update
//go:embed templates/carried.mod templates/carried.sum templates/carried_otel.mod templates/carried_otel.sum
//go:embed LICENSE
//go:embed internal/admission/*.go
//go:embed internal/authenv/*.go
//go:embed internal/authn/*.go
//go:embed internal/backplane/*.go
//go:embed internal/broker/*.go
//go:embed internal/bufpool/*.go
//go:embed internal/calls/*.go
//go:embed internal/child/*.go internal/child/forkserver.py
//go:embed internal/cmdline/*.go
//go:embed internal/config/*.go
//go:embed internal/devpage/*.go internal/devpage/assets
//go:embed internal/eventlog/*.go
//go:embed internal/framing/*.go
//go:embed internal/hostjson/*.go
//go:embed internal/manifest/*.go
//go:embed internal/markup/*.go
//go:embed internal/message/*.go
//go:embed internal/pace/*.go
//go:embed internal/packmanifest/*.go
//go:embed internal/policy/*.go
//go:embed internal/pool/*.go
//go:embed internal/printable/*.go
//go:embed internal/process/*.go internal/process/filters
//go:embed internal/recent/*.go
//go:embed internal/secret/*.go
//go:embed internal/session/*.go
//go:embed internal/stream/*.go
//go:embed internal/streamhttp/*.go
//go:embed internal/ticket/*.go
//go:embed internal/watch/*.go
//go:embed runtime/*.go
//go:embed runtime/otel/*.go
var tree embed.FS

// Source returns the files of the runtime's module as they are to lie in third_party/mcpfunc: the
// runtime, the packages it needs, the licence, and a go.mod and go.sum that name no module but
// theirs. Tests are left out.
// What only a project with OpenTelemetry has is there as well, for the generator to choose from: runtime/otel, and
// go.otel.mod and go.otel.sum, which are its go.mod and go.sum. Every call returns a new tree that the caller may change.
func Source() fs.FS {
	src := fstest.MapFS{} // the standard library's only file system that is a value
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := tree.ReadFile(path)
		switch path {
		case "templates/carried.mod":
			path = "go.mod"
		case "templates/carried.sum":
			path = "go.sum"
		case "templates/carried_otel.mod":
			path = "go.otel.mod"
		case "templates/carried_otel.sum":
			path = "go.otel.sum"
		}
		src[path] = &fstest.MapFile{Data: data, Mode: 0o444}
		return err
	})
	if err != nil {
		panic(err) // embedded files are in memory: this is a broken build
	}
	return src
}
