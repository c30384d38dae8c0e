package pack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// What is imported before a fork is of others: neither the server's own packages nor what is in the project, whose
// code is to run in each process alone.
func TestModulesThatSessionsMayShare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const site = "packed/s/site-packages/"
	write(site+"My_Server-1.0.dist-info/RECORD", "my_server/__init__.py,sha256=x,1\nmy_server/main.py,,\nawslabs/mine/__init__.py,,\n\"my_server/a,b.txt\",,\n../../bin/my-server,,\n_mine.cpython-312-x86_64-linux-gnu.so,,\n")
	write(site+"core-2.dist-info/RECORD", "core/__init__.py,,\ncore/cli.py,,\n")
	write(site+"pydantic-2.dist-info/RECORD", "pydantic/__init__.py,,\npydantic/main.py,,\n")
	for _, file := range []string{"my_server/__init__.py", "my_server/main.py", "awslabs/mine/__init__.py", "core/__init__.py", "core/cli.py", "pydantic/__init__.py", "pydantic/main.py", "helpers/__init__.py", "fast.cpython-312-x86_64-linux-gnu.so"} {
		write(site+file, "")
	}
	write("app/server.py", "")
	write("app/helpers.py", "")
	imported := []string{
		"json", "_io", "my_server", "my_server.main", "awslabs", "awslabs.mine", "_mine", "core", "core.cli", "pydantic", "pydantic.main", "pydantic",
		"pydantic.made_up", "fast", "helpers", "not a module", "__main__", "sitecustomize", "six.moves",
	}
	for name, tt := range map[string]struct {
		requires     []string
		script, main string
		want         []string
	}{
		"of a package": {[]string{"my-server>=1"}, "", "my_server.main", []string{"json", "_io", "awslabs", "core", "core.cli", "pydantic", "pydantic.main", "fast", "helpers", "six.moves"}},
		"whose entry point is another package's": {[]string{"my_server[cli]==1"}, "", "core.cli",
			[]string{"json", "_io", "awslabs", "pydantic", "pydantic.main", "fast", "helpers", "six.moves"}},
		"of a script": {nil, "app/server.py", "", []string{"json", "_io", "my_server", "my_server.main", "awslabs", "awslabs.mine", "_mine", "core", "core.cli", "pydantic", "pydantic.main", "fast", "six.moves"}},
	} {
		r := &run{opts: &Options{Dir: dir}}
		j := &job{plan: &plan{name: "s", script: tt.script, recipe: &Recipe{Kind: KindPython, Requires: tt.requires}}, treeDir: filepath.Join(dir, "packed", "s"), module: tt.main}
		if tt.script == "" {
			// Recorded, but not among the files: a name alone must do.
			write(site+"_mine.cpython-312-x86_64-linux-gnu.so", "")
		}
		if diff := cmp.Diff(tt.want, r.shareable(j, imported)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A manifest is recorded of a server as it will be started, once it is known whether that is by fork.
func TestServersAreRecordedAsTheyWillStart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		imported []string
		fork     error
		want     bool
	}{
		"forked": {[]string{"json"}, nil, true}, "not forked": {[]string{"json"}, errors.New("a thread"), false}, "nothing to import": {nil, nil, false},
	} {
		project, stage := t.TempDir(), t.TempDir()
		for _, dir := range []string{workFolder, "packed/x/site-packages", "lock"} {
			if err := os.MkdirAll(filepath.Join(stage, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(stage, "packed/x/site-packages/x.py"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		var recorded []bool
		r := &run{
			stage: stage, work: filepath.Join(stage, workFolder), lock: &Lock{Platform: Platform},
			file: &packmanifest.File{
				Format: packmanifest.Format, Platform: runtime.GOOS + "/" + runtime.GOARCH,
				Servers: map[string]packmanifest.Server{"x": {Start: packmanifest.Start{Interpreter: packmanifest.Python}}},
			},
			opts: &Options{
				Dir: project, Log: func(string, string) {},
				Probe: func(_ context.Context, target Target) ([]Tool, error) {
					if target.Fork != nil {
						return nil, tt.fork
					}
					*target.Imported = tt.imported
					return nil, nil
				},
				Record: func(_ context.Context, target Target) { recorded = append(recorded, target.Fork != nil) },
			},
		}
		j := &job{
			plan:   &plan{name: "x", recipe: &Recipe{Kind: KindPython, Requires: []string{"x"}, Script: "x"}},
			report: &ServerReport{}, treeDir: filepath.Join(stage, "packed/x"), lockDir: filepath.Join(stage, "lock"),
		}
		r.jobs = []*job{j}
		seal, err := r.seal()
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(r.try(t.Context(), j, &packmanifest.Starter{}, seal), unseal(stage))
		if err != nil || !slices.Equal(recorded, []bool{tt.want}) {
			t.Errorf("%s: recorded %v, %v; want once, by fork: %t", name, recorded, err, tt.want)
		}
	}
}
