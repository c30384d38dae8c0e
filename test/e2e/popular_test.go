//go:build e2e

package e2e

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// pinnedPackage is the package of a command line, without its scope and its version.
var pinnedPackage = regexp.MustCompile(`(\S+)@\d\S*`)

// popular returns those of tools/popular-servers.txt that the tests pack, each under the name of its package.
func popular(t *testing.T) map[string]any {
	t.Helper()
	servers := map[string]any{}
	for line := range strings.Lines(readFile(t, e2etest.File(t, "test", "e2e", "tools", "popular-servers.txt"))) {
		line, chosen := strings.CutPrefix(strings.TrimSpace(line), "ci ")
		m := pinnedPackage.FindStringSubmatch(line)
		if !chosen || m == nil {
			continue
		}
		words := strings.Fields(line)
		server := map[string]any{"timeout_seconds": 120}
		if box, ok := strings.CutPrefix(words[0], "sandbox="); ok {
			sandbox := map[string]any{}
			if err := json.Unmarshal([]byte(box), &sandbox); err != nil {
				t.Fatal(err)
			}
			sandbox["required"] = false // some kernels have none: the log says what was left out
			server["sandbox"], words = sandbox, words[1:]
		}
		server["command"], server["args"] = words[0], words[1:]
		servers[strings.NewReplacer("@", "", "/", "-").Replace(m[1])] = server
	}
	return servers
}

// Popular servers answer from the package alone, in their sandbox: one that writes, one that runs git, and two that are
// programs in a package of npm and of PyPI, which are not executable where they lie.
func TestPopularServersAnswerFromThePackageAlone(t *testing.T) {
	t.Parallel()
	dir := scaffold(t, asJSON(t, map[string]any{"mcpServers": popular(t)}))
	for _, args := range [][]string{{"build"}, {"pack", "--python", pythonVersion(t)}, {"pack", "--check"}} {
		cmd := exec.Command(mcpfunc(t), args...)
		cmd.Dir, cmd.Env = dir, e2etest.Environ()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("mcpfunc %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		t.Logf("mcpfunc %s:\n%s", strings.Join(args, " "), out)
	}
	wants := []struct {
		question
		text  string
		tools int
	}{
		{question{"modelcontextprotocol-server-filesystem", "list_allowed_directories", map[string]any{}}, "/tmp", 10},
		{question{"modelcontextprotocol-server-memory", "read_graph", map[string]any{}}, "entities", 5},
		{question{"mcp-server-time", "get_current_time", map[string]any{"timezone": "UTC"}}, `"timezone": "UTC"`, 2},
		{question{"mcp-server-git", "git_status", map[string]any{"repo_path": "/no/such/repository"}}, "/no/such/repository", 10},
		{question{"cnb-rs-mcp", "cnb_get_current_repository", map[string]any{"remote_url": "https://cnb.cool/acme/notes.git"}}, "/acme/notes", 30}, // a program in a wheel, whose error names the repository
		{question{"azure-mcp", "storage", map[string]any{}}, "learn", 10},                                                                          // which it wants as an argument
	}
	var questions []question
	for _, w := range wants {
		questions = append(questions, w.question)
	}
	for i, a := range askSealed(t, unzip(t, publish(t, dir)), questions, "git") {
		w := wants[i]
		if !strings.Contains(a.Text, w.text) || len(a.Tools) < w.tools {
			t.Errorf("%s has %d tools, and answers %q, want %q in it and %d at least\n%s", a.Server, len(a.Tools), a.Text, w.text, w.tools, a.Log)
		}
		if strings.Contains(a.Log, "starts as written") {
			t.Errorf("%s does not start as packed:\n%s", a.Server, a.Log)
		}
		if strings.Contains(a.Log, "without part of its sandbox") {
			t.Logf("%s is not in its whole sandbox, since this kernel has none", a.Server)
		}
		t.Logf("%-42s %3d tools %6.2fs", a.Server, len(a.Tools), a.Listed.Seconds())
	}
}
