package pack

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/nugettest"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

func TestExecutablesAreProgramsForThePlatform(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"node_modules/rg/bin/rg":        nugettest.Program("amd64", ""),
		"node_modules/rg/bin/rg-arm":    nugettest.Program("arm64", ""),
		"node_modules/rg/index.js":      "#!/usr/bin/env node\n",
		"node_modules/open/xdg-open":    "#!/bin/sh\n",
		"node_modules/open/notes":       "#!/bin/sh\n",
		"node_modules/rg/short":         "x",
		"node_modules/rg/bin/broken.so": "\x7fELF and nothing else",
	})
	for _, name := range []string{"node_modules/rg/index.js", "node_modules/open/xdg-open"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := &run{lock: &Lock{Platform: Platform}}
	got, err := r.executables(&job{plan: &plan{name: "x"}, treeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"packed/x/node_modules/open/xdg-open", "packed/x/node_modules/rg/bin/rg"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, "node_modules/rg/bin/rg")); err != nil {
		t.Fatal(err)
	}
	if got, err := r.executables(&job{plan: &plan{name: "x"}, treeDir: dir}); err != nil || len(got) > 0 {
		t.Errorf("without a program for the platform there are %q, %v", got, err)
	}
}

// A server is tried where nobody may write, and what one writes all the same is a fault that names the file.
func TestWhatIsWrittenWhileTriedIsAFault(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes of files are those of Unix")
	}
	for name, c := range map[string]struct {
		do   func(stage string) error
		want string
	}{
		"nothing": {func(string) error { return nil }, ""},
		"bytecode": {func(stage string) error {
			return os.MkdirAll(filepath.Join(stage, "scripts", "__pycache__"), 0o755)
		}, ""},
		"a mode": {func(stage string) error {
			return os.Chmod(filepath.Join(stage, "packed/x/tool"), 0o755)
		}, "packed/x/tool"},
		"a file of the project": {func(stage string) error {
			return os.WriteFile(filepath.Join(stage, "scripts/log.txt"), nil, 0o644)
		}, "scripts/log.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := files(t, map[string]string{"scripts/server.py": ""})
			stage := files(t, map[string]string{"packed/x/tool": "x", ".work/a": ""})
			if err := mirror(stage, project); err != nil {
				t.Fatal(err)
			}
			r := &run{
				stage: stage, work: filepath.Join(stage, workFolder), lock: &Lock{Platform: Platform}, opts: &Options{Dir: project},
				file: &packmanifest.File{
					Format: packmanifest.Format, Platform: runtime.GOOS + "/" + runtime.GOARCH,
					Servers: map[string]packmanifest.Server{"x": {}},
				},
			}
			r.opts.Log = func(string, string) {}
			r.jobs = []*job{{plan: &plan{name: "x", recipe: &Recipe{Kind: KindNode}}, report: &ServerReport{}}}
			r.opts.Probe = func(_ context.Context, target Target) ([]Tool, error) {
				if info, err := os.Stat(filepath.Join(stage, "packed/x/tool")); err != nil || info.Mode() != 0o444 {
					t.Errorf("it is tried with %v, %v, want nobody to write and to run it", info, err)
				}
				return nil, c.do(target.Dir)
			}
			err := r.probe(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), "writes next to its code: "+c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err := os.RemoveAll(stage); err != nil {
				t.Errorf("the stage cannot be removed: %v", err)
			}
		})
	}
}
