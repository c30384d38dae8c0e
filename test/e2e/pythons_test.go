//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// stackPythons are the versions of Python that an app's stack may have.
var stackPythons = []string{"3.14", "3.13", "3.12", "3.11", "3.10"}

// pythonAt returns an interpreter of a version on this machine: on PATH, or of pyenv, whose own programs on PATH fail
// for versions that are not chosen.
func pythonAt(t *testing.T, version string) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(home, ".pyenv", "versions", version+".*", "bin", "python"+version))
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("python" + version); err == nil {
		found = append(found, path)
	}
	for _, path := range found {
		if out, err := exec.Command(path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output(); err == nil && strings.TrimSpace(string(out)) == version {
			return path
		}
	}
	return ""
}

// readmeConfiguration is the first mcp_config.json in the README.
var readmeConfiguration = regexp.MustCompile("(?s)```json\n(.*?\"mcpServers\".*?)```")

// The README's example packs and answers on another Python than that of the tools: the newest here; on all that are
// here with MCPFUNC_E2E_PYTHONS=all.
func TestReadmesExampleOnOtherPythons(t *testing.T) {
	t.Parallel()
	m := readmeConfiguration.FindStringSubmatch(readFile(t, e2etest.File(t, "README.md")))
	if m == nil {
		t.Fatal("README.md has no configuration")
	}
	versions := slices.DeleteFunc(slices.Clone(stackPythons), func(v string) bool { return v == pythonVersion(t) || pythonAt(t, v) == "" })
	if len(versions) == 0 {
		t.Skipf("this machine has none of Python %s but that of the tools", strings.Join(stackPythons, ", "))
	}
	if os.Getenv("MCPFUNC_E2E_PYTHONS") != "all" {
		versions = versions[:1]
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			python := pythonAt(t, version)
			dir := scaffold(t, m[1])
			for _, args := range [][]string{{"build"}, {"pack", "--python", version}} {
				cmd := exec.Command(mcpfunc(t), args...)
				cmd.Dir, cmd.Env = dir, append(e2etest.Environ(), "PATH="+filepath.Dir(python)+":"+e2etest.Tool("python", "bin")+":"+os.Getenv("PATH"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("mcpfunc %s: %v\n%s", strings.Join(args, " "), err, out)
				}
			}
			answers := askSealedWith(t, python, unzip(t, publish(t, dir)), []question{{"git-tools", "git_status", map[string]any{"repo_path": "/no/such/repository"}}}, "git")
			if a := answers[0]; !strings.Contains(a.Text, "/no/such/repository") || len(a.Tools) < 10 || strings.Contains(a.Log, "starts as written") {
				t.Errorf("%d tools, and the answer %q\n%s", len(a.Tools), a.Text, a.Log)
			}
		})
	}
}
