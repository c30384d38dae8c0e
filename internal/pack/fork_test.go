package pack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
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
