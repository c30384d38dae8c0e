package pack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// Wheels carry programs in *.data/scripts, which uv puts into bin beside the scripts that it makes.
func TestProgramsOfWheelsAreKept(t *testing.T) {
	t.Parallel()
	site := files(t, map[string]string{
		"bin/native":    nugettest.Program("amd64", ""),
		"bin/of-arm":    nugettest.Program("arm64", ""),
		"bin/script":    "#!/build/machine/python\n",
		"bin/sub/x":     "",
		"native/x.py":   "",
		"other/bin/sub": "",
	})
	r := &run{lock: &Lock{Platform: Platform, Settings: Settings{Python: "3.12"}}}
	j := &job{plan: &plan{name: "x", recipe: &Recipe{Kind: KindPython, Requires: []string{"native"}, Script: "native"}}, treeDir: site}
	if err := r.keepPrograms(j, filepath.Join(site, binFolder)); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Join(site, binFolder))
	if err != nil || len(left) != 1 || left[0].Name() != "native" {
		t.Errorf("bin holds %v, %v, want native alone", left, err)
	}
	stub, err := r.stub(j, site)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{`os.environ["PATH"] = `, `program = os.path.join(packages, "bin", "native")`, "os.execv(program, "} {
		if !strings.Contains(stub, piece) {
			t.Errorf("the start script does not contain %s:\n%s", piece, stub)
		}
	}
	j.recipe.Script = "unknown"
	if _, err := r.stub(j, site); err == nil || !strings.Contains(err.Error(), `has no script "unknown"; it has native`) {
		t.Errorf("an unknown script: %v", err)
	}

	none := files(t, map[string]string{"bin/script": "#!/build/machine/python\n"})
	j = &job{plan: j.plan}
	if err := r.keepPrograms(j, filepath.Join(none, binFolder)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(none, binFolder)); !os.IsNotExist(err) || pathLine(j) != "" {
		t.Errorf("bin without a program is left, %v, and the start script has %q", err, pathLine(j))
	}
}
