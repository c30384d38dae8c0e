package cli

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/mcpfunc/mcpfunc/internal/pack"
)

const evil = "\x1b]52;c;ZXZpbA==\x07\x1b[31mred\rover\x7f\u009b1;1H\u202etxt.exe\u2066\u200b\u2028"

func checkHarmless(t *testing.T, text string) {
	t.Helper()
	for i, r := range text {
		if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
			t.Fatalf("%U after %q", r, text[max(0, i-60):i])
		}
	}
}

func TestToolsOfPackedServersSteerNothing(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv()
	var out bytes.Buffer
	report := &pack.Report{Servers: []*pack.ServerReport{{Name: "evil", ToolChanges: []pack.ToolChange{
		{Name: "a" + evil, What: "added", Is: evil}, {Name: "b" + evil + "\nforged: line", What: "removed"},
		{Name: "c" + evil, What: "description", Was: evil, Is: evil}, {Name: "d" + evil, What: "schema"},
	}}}}
	if err := printPacked(newScreen(env, &out), report); err != nil {
		t.Fatal(err)
	}
	checkHarmless(t, out.String())
	if strings.Contains(out.String(), "\nforged") || strings.Count(out.String(), `\x1b]52;c;`) < 6 {
		t.Error(out.String())
	}
}

func TestNotesSteerNothing(t *testing.T) {
	t.Parallel()
	env, _, errs := testEnv()
	env.Stderr = &screen{out: env.Stderr, tty: true, live: true}
	style := style{on: true}
	env.note("%s %-40s %q %v %d", style.red("painted"+evil), evil, evil, []string{evil}, 7)
	env.complain("%s", style.dim(evil))
	text := errs.String()
	if !strings.HasPrefix(text, "\x1b[31mpainted\\x1b]52") || strings.Count(text, "\x1b") != 4 {
		t.Errorf("%q", text)
	}
	checkHarmless(t, strings.ReplaceAll(text, "\x1b", ""))
}

// What is cut into pieces anywhere is shown as if it were not.
func TestPiecesAreEscapedAsTheWhole(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv()
	text := "ü漢😀 " + evil + "\r\nend\n"
	var whole bytes.Buffer
	if _, err := newScreen(env, &whole).Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	checkHarmless(t, whole.String())
	for n := 1; n < 8; n++ {
		var out bytes.Buffer
		s := newScreen(env, &out)
		for rest := text; rest != ""; {
			piece := rest[:min(n, len(rest))]
			if _, err := s.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
			rest = rest[len(piece):]
		}
		if out.String() != whole.String() {
			t.Errorf("in pieces of %d: %q, want %q", n, out.String(), whole.String())
		}
	}
}

// TestNobodyPrintsAroundTheScreen holds that there is no other way to the terminal: the process's own streams are
// taken once, what goes to them as it is is written by those who are named here, and only a style paints.
func TestNobodyPrintsAroundTheScreen(t *testing.T) {
	t.Parallel()
	allowed := map[string][]string{
		"os.Stdout": {"cli.go"}, "os.Stderr": {"cli.go"},
		"raw":     {"progress.go", "call.go", "demoserver.go", "publish.go"},
		"painted": {"terminal.go", "progress.go"},
		".out":    {"progress.go", "prompt.go"},
		"print":   {}, "println": {}, "fmt.Print": {}, "fmt.Println": {}, "fmt.Printf": {}, "os.NewFile": {}, "syscall.Write": {}, "log.Print": {}, "log.Printf": {}, "log.Println": {},
	}
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		saw := func(what string) {
			where, known := allowed[what]
			if !known {
				return
			}
			for _, one := range where {
				if one == name {
					used[what+" "+name] = true
					return
				}
			}
			t.Errorf("%s uses %s: text of servers must go by a screen", name, what)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					saw(x.Name + "." + n.Sel.Name)
				}
				saw("." + n.Sel.Name)
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok {
					saw(f.Name)
				}
			}
			return true
		})
	}
	for what, where := range allowed {
		for _, name := range where {
			if !used[what+" "+name] && what != "raw" {
				t.Errorf("%s does not use %s any more", name, what)
			}
		}
	}
}
