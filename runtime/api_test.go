package mcpfunc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mostNames is how many names a reader of the package's documentation has to take in, at most.
const mostNames = 25

// TestAPIIsSmall holds the names that the package exports, so that one more is a decision.
func TestAPIIsSmall(t *testing.T) {
	t.Parallel()
	want := []string{
		"App", "Auth", "AuthError", "Call", "CommandError", "Config", "ConfigError", "ExecLauncher", "FunctionsAddr", "Launcher",
		"LauncherFunc", "LoadConfig", "New", "Observer", "Options", "ParseConfig", "Process", "Sandbox", "Server", "Stats", "SupportsScaffold1",
	}
	got := exported(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names of the package (-want +got):\n%s", diff)
	}
	if len(got) > mostNames {
		t.Errorf("%d names are exported, want at most %d", len(got), mostNames)
	}
}

// exported lists what the package in this directory exports, except for methods and fields, on any system.
func exported(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	add := func(id *ast.Ident) {
		if id.IsExported() && !slices.Contains(names, id.Name) {
			names = append(names, id.Name)
		}
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					add(decl.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec.Name)
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							add(id)
						}
					}
				}
			}
		}
	}
	slices.Sort(names)
	return names
}
