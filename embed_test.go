package mcpfunc

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite templates/carried.mod and carried.sum")

// A package that the runtime imports and embed.go does not name would be missing from every
// generated project; one that it names for nothing would be dead weight there.
func TestSourceHoldsWhatTheRuntimeImports(t *testing.T) {
	t.Parallel()
	want := map[string]bool{"LICENSE": true, "go.mod": true, "go.sum": true, "go.otel.mod": true, "go.otel.sum": true}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range runtimePackages(t, goos) {
			for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles, p.EmbedFiles) {
				if !strings.HasSuffix(name, "_test.go") {
					want[path.Join(p.folder(), name)] = true
				}
			}
		}
	}
	var got []string
	err := fs.WalkDir(Source(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), got); diff != "" {
		t.Errorf("go:embed lines of embed.go are not what runtime imports (-imported +embedded):\n%s", diff)
	}
}

// maxCarried bounds what a project carries: the lines of code of Go, neither blank nor comment. Somebody
// who takes the project over reads them.
const maxCarried = 32_050

func TestCarriedSourcesAreFew(t *testing.T) {
	t.Parallel()
	lines := map[string]int{}
	total := 0
	err := fs.WalkDir(Source(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" {
			return err
		}
		data, err := fs.ReadFile(Source(), name)
		if strings.HasPrefix(name, "runtime/otel/") {
			return nil // only projects that ask for it have it
		}
		n := codeLines(data)
		lines[path.Dir(name)] += n
		total += n
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxCarried || total < maxCarried/2 {
		t.Errorf("%d lines of code are carried, want at most %d: %v", total, maxCarried, lines)
	}
	t.Logf("%d lines of code: %v", total, lines)
}

// codeLines counts the lines on which a token of Go stands.
func codeLines(src []byte) int {
	file := token.NewFileSet().AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0) // comments are left out
	n, last := 0, 0
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return n
		}
		if tok == token.SEMICOLON && text == "\n" {
			continue // the scanner's own
		}
		first := file.Line(pos)
		end := first + strings.Count(text, "\n") // of a string over several lines
		n += end - max(first, last+1) + 1
		last = max(last, end)
	}
}

func TestLinesOfCodeAreCounted(t *testing.T) {
	t.Parallel()
	const src = "// Package p.\npackage p\n\n/* a\nb */ var a = `1\n\n3` // c\n\nfunc f() {\n\t// nothing\n}\n"
	if n := codeLines([]byte(src)); n != 6 {
		t.Errorf("%d lines of code, want 6", n)
	}
}

// The carried module files name what `go mod tidy` keeps for a project that imports the runtime, in
// this module's versions: a tidy carried module by itself would name more, what tests of its
// dependencies need, and every project would be untidy from its first day. One without OpenTelemetry names nothing of it.
func TestCarriedModuleIsTidy(t *testing.T) {
	t.Parallel()
	for _, otel := range []bool{false, true} {
		dir := t.TempDir()
		carried := filepath.Join(dir, "third_party", "mcpfunc")
		if err := os.CopyFS(carried, Source()); err != nil {
			t.Fatal(err)
		}
		imports, stem, name := `import _ "github.com/mcpfunc/mcpfunc/runtime"`, "templates/carried.", "go."
		if otel {
			imports, stem, name = imports+"\n"+`import _ "github.com/mcpfunc/mcpfunc/runtime/otel"`, "templates/carried_otel.", "go.otel."
		} else if err := os.RemoveAll(filepath.Join(carried, "runtime", "otel")); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "main.go"), []byte("package main\n\n"+imports+"\n\nfunc main() {}\n"))
		put(t, filepath.Join(dir, "go.sum"), read(t, "go.sum"))

		// Twice: with this module's go.mod for the versions, then with what came of it, for the sums.
		mod := read(t, "go.mod")
		for range 2 {
			os.Remove(filepath.Join(carried, "go.mod")) // the copy is read-only
			put(t, filepath.Join(carried, "go.mod"), mod)
			mod = tidy(t, dir)
		}
		if !otel && bytes.Contains(mod, []byte("go.opentelemetry.io")) {
			t.Errorf("a project without OpenTelemetry requires it:\n%s", mod)
		}
		for kind, want := range map[string][]byte{"mod": mod, "sum": read(t, filepath.Join(dir, "go.sum"))} {
			if *update {
				put(t, stem+kind, want)
				continue
			}
			got, err := fs.ReadFile(Source(), name+kind)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s%s is stale (-tidy +carried), hint: go generate .\n%s", stem, kind, diff)
			}
		}
	}
}

// tidy tidies a project in dir that requires the carried module and nothing else, and returns a
// go.mod for that module with what the project was found to need.
func tidy(t *testing.T, dir string) []byte {
	t.Helper()
	put(t, filepath.Join(dir, "go.mod"), []byte("module project\n\ngo 1.26\n\nrequire github.com/mcpfunc/mcpfunc v0.0.0\n\nreplace github.com/mcpfunc/mcpfunc => ./third_party/mcpfunc\n"))
	goTool(t, dir, nil, "mod", "tidy")
	var project struct {
		Go      string
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(goTool(t, dir, nil, "mod", "edit", "-json"), &project); err != nil {
		t.Fatal(err)
	}
	var mod bytes.Buffer
	fmt.Fprintf(&mod, "module github.com/mcpfunc/mcpfunc\n\ngo %s\n\nrequire (\n", project.Go)
	for _, r := range project.Require {
		if r.Path != "github.com/mcpfunc/mcpfunc" {
			fmt.Fprintf(&mod, "\t%s %s\n", r.Path, r.Version)
		}
	}
	mod.WriteString(")\n")
	return mod.Bytes()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A listed is the part of `go list -json` that matters here.
type listed struct {
	ImportPath                          string
	Module                              *struct{ Main bool }
	GoFiles, IgnoredGoFiles, EmbedFiles []string
}

func (l listed) folder() string {
	return strings.TrimPrefix(l.ImportPath, "github.com/mcpfunc/mcpfunc/")
}

// runtimePackages lists the packages of this module that the runtime is made of on goos.
func runtimePackages(t *testing.T, goos string) []listed {
	t.Helper()
	const fields = "ImportPath,Module,GoFiles,IgnoredGoFiles,EmbedFiles"
	out := goTool(t, ".", []string{"GOOS=" + goos, "CGO_ENABLED=0"}, "list", "-deps", "-json="+fields, "-tags", "mcpfunc_devpage", "./runtime/...")
	var ours []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if err == io.EOF {
			return ours
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && p.Module.Main {
			ours = append(ours, p)
		}
	}
}

func goTool(t *testing.T, dir string, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}
