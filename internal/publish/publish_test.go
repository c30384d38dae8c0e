package publish

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/generator"
)

// What the tools are called with, and what comes of what they answer, is in the scenes of cmd/mcpfunc.

func TestNamesThatAzureTakes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"my-app": true, "a1": true, strings.Repeat("a", 60): true,
		"": false, "a": false, "-a": false, "a-": false, "my_app": false, "my app": false, "a;b": false, strings.Repeat("a", 61): false,
	} {
		if got := ValidApp(name); got != want {
			t.Errorf("ValidApp(%q) = %v", name, got)
		}
	}
	for name, want := range map[string]bool{
		"my-group": true, "Gruppe_ä(1).x": true, "": false, "-g": false, "a b": false, "a'b": false, strings.Repeat("g", 91): false,
	} {
		if got := ValidGroup(name); got != want {
			t.Errorf("ValidGroup(%q) = %v", name, got)
		}
	}
}

func TestCommandLinesCanBeTyped(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"az a --b c":        {"a", "--b", "c"},
		"az '' 'a b' '$X'":  {"", "a b", "$X"},
		`az 'it'\''s' '@*'`: {"it's", "@*"},
	} {
		if got := CommandLine("az", args); got != want {
			t.Errorf("%q is typed %s, want %s", args, got, want)
		}
	}
}

// tools returns an environment whose PATH holds these programs, which do nothing.
func tools(t *testing.T, names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"PATH=" + dir}
}

func TestThePlanFollowsTheTools(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tools, want []string
		group       string
	}{
		"func alone": {[]string{"func"}, []string{
			"cd app && func azure functionapp publish my-app --node --no-build", "elsewhere, as az is not on PATH:", "prints GROUP", "prints whether", "mcpfunc key",
		}, ""},
		"both":     {[]string{"func", "az"}, []string{"prints whether", "mcpfunc key", "cd app && func"}, "my-group"},
		"az alone": {[]string{"az"}, []string{"prints whether", "mcpfunc key", "zip the project", "az functionapp deployment source config-zip --resource-group my-group"}, "my-group"},
		"neither":  {nil, []string{"prints whether", "mcpfunc key", "npm install -g", "cd app && func"}, "my-group"},
	} {
		p, err := New(Project{Dir: "app", Stack: generator.StackNode, Packed: true, App: "my-app", Group: test.group}, Streams{Environ: tools(t, test.tools...)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Plan()
		want := append([]string{"pack what is locked", "build the handler", "check what would fail"}, test.want...)
		if len(got) != len(want) {
			t.Errorf("%s: the plan is\n%s", name, strings.Join(got, "\n"))
			continue
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: line %d is %q, want %q", name, i, got[i], want[i])
			}
		}
	}
}

func TestNobodyPublishesWithoutATool(t *testing.T) {
	t.Parallel()
	p, err := New(Project{Dir: ".", App: "my-app", Group: "g", Stack: generator.StackPython}, Streams{Environ: tools(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context()); !errors.Is(err, ErrNoTool) {
		t.Errorf("publishing ends with %v, want %v", err, ErrNoTool)
	}
	if diff := cmp.Diff("func azure functionapp publish my-app --python --no-build", p.Elsewhere()[3]); diff != "" {
		t.Error(diff)
	}
	if _, err := New(Project{Dir: ".", App: "my-app", Stack: generator.StackPython}, Streams{Environ: tools(t, "az")}, nil); err == nil {
		t.Error("az publishes a project for the stack python, which it would build once more")
	}
}
