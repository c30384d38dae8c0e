package generator

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/mcpfunc/mcpfunc"
)

// Every story builds at once on a machine that has Go, with no network and nothing written to its
// go.mod or go.sum. Stories differ in main.go and the name of the module alone, so one of them is built
// and the others are checked against what that one was built from.
func TestGeneratedProjectsBuildOffline(t *testing.T) {
	t.Parallel()
	const name = "several-servers.txtar"
	built := t.TempDir()
	write(t, carrying(t, storyProject(t, stories(t)[name])), built, Init)
	before := tree(t, built)
	goTool(t, built, "vet", "./...")
	goTool(t, built, "build", "-o", "handler", ".")
	after := tree(t, built)
	for _, name := range []string{"go.mod", "go.sum"} {
		if before[name] != after[name] {
			t.Errorf("building changed %s", name)
		}
	}
	compiled := exports(t, built)
	eachStory(t, func(t *testing.T, _ *txtar.Archive, p Project, _ *Plan) {
		made := carrying(t, p)
		for _, name := range []string{"go.sum", sumsPath} { // the latter is of all that is carried
			if file(t, made, name) != before[name] {
				t.Errorf("%s is not the project's hosting that was built", name)
			}
		}
		mod, require, _ := strings.Cut(file(t, made, "go.mod"), "\n")
		if _, want, _ := strings.Cut(before["go.mod"], "\n"); require != want {
			t.Errorf("go.mod (-built +this):\n%s", cmp.Diff(want, require))
		}
		dir := t.TempDir()
		write(t, made, dir, Init)
		if got := goTool(t, dir, "list", "-m"); "module "+got != mod+"\n" {
			t.Errorf("%s is the module %s", mod, got)
		}
		for path := range files(t, dir) {
			if strings.HasSuffix(path, ".go") && path != "main.go" && !isCarried(path) {
				t.Errorf("%s is not compiled here", path)
			}
		}
		typeCheck(t, file(t, made, "main.go"), compiled)
	})
}

// carrying is plan with the real runtime.
func carrying(t *testing.T, p Project) *Plan {
	t.Helper()
	p.Runtime = mcpfunc.Source()
	return plan(t, p)
}

// exports returns where the compiler left what it knows of each package that the project in dir is made of.
func exports(t *testing.T, dir string) map[string]string {
	t.Helper()
	compiled := map[string]string{}
	for line := range strings.Lines(goTool(t, dir, "list", "-deps", "-export", "-f", "{{.ImportPath}}\t{{.Export}}", ".")) {
		if pkg, file, _ := strings.Cut(strings.TrimSpace(line), "\t"); file != "" {
			compiled[pkg] = file
		}
	}
	return compiled
}

// typeCheck type-checks a program against compiled packages.
func typeCheck(t *testing.T, program string, compiled map[string]string) {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "main.go", program, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(pkg string) (io.ReadCloser, error) {
		return os.Open(compiled[pkg])
	})}
	pkg, err := conf.Check("main", fset, []*ast.File{parsed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if pkg.Name() != "main" || pkg.Scope().Lookup("main") == nil {
		t.Errorf("package %s is no program", pkg.Name())
	}
}

// Tidy is what a person does first when something is odd; it must not be we who are odd. It looks at
// the tests of the modules too, which a build does not need, so the module cache alone may not do.
func TestTidyChangesNothing(t *testing.T) {
	t.Parallel()
	p := withServers("git")
	p.Runtime = mcpfunc.Source()
	dir := t.TempDir()
	write(t, plan(t, p), dir, Init)
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy", "-diff")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go mod tidy -diff: %v\n%s", err, out)
	}
}

func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	// -trimpath, so that the copies of one runtime are compiled once.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOSUMDB=off",
		"GOFLAGS=-mod=readonly -buildvcs=false -trimpath", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %v in %s: %v\n%s", args, filepath.Base(dir), err, out)
	}
	return string(out)
}
