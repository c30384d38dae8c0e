//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// A call is one question to one server, and a text that only the right answer holds.
type call struct{ tool, args, want string }

func TestEveryClientCallsTheFilesystemServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "note.txt"), "kept in a file\n")
	callAll(t, "filesystem",
		[]string{"npx", "-y", e2etest.Pinned(t, "@modelcontextprotocol/server-filesystem"), dir}, nil,
		call{"list_directory", asJSON(t, map[string]string{"path": dir}), "note.txt"},
		call{"read_text_file", asJSON(t, map[string]string{"path": filepath.Join(dir, "note.txt")}), "kept in a file"},
	)
}

func TestEveryClientCallsTheMemoryServer(t *testing.T) {
	t.Parallel()
	callAll(t, "memory",
		[]string{"npx", "-y", e2etest.Pinned(t, "@modelcontextprotocol/server-memory")},
		map[string]string{"MEMORY_FILE_PATH": filepath.Join(t.TempDir(), "memory.jsonl")},
		call{"create_entities", `{"entities": [{"name": "Ada", "entityType": "person", "observations": ["wrote programs"]}]}`, ""},
		call{"search_nodes", `{"query": "Ada"}`, "wrote programs"},
	)
}

func TestEveryClientCallsTheGitServer(t *testing.T) {
	t.Parallel()
	repo := t.TempDir()
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "-q", "--allow-empty", "-m", "first light"},
	} {
		git := exec.Command("git", args...)
		git.Dir = repo
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	callAll(t, "git",
		[]string{"uvx", e2etest.Pinned(t, "mcp-server-git"), "--repository", repo}, nil,
		call{"git_log", asJSON(t, map[string]string{"repo_path": repo}), "first light"},
	)
}

func TestEveryClientCallsTheTimeServer(t *testing.T) {
	t.Parallel()
	callAll(t, "time",
		[]string{"uvx", e2etest.Pinned(t, "mcp-server-time")}, nil,
		call{"convert_time", `{"source_timezone": "Asia/Tokyo", "time": "12:00", "target_timezone": "UTC"}`, "T03:00:00+00:00"},
	)
}

// callAll serves one server and asks every question with every client, each in a session of its own.
func callAll(t *testing.T, server string, command []string, env map[string]string, calls ...call) {
	entry := map[string]any{"command": command[0], "args": command[1:]}
	if env != nil {
		entry["env"] = env
	}
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": map[string]any{server: entry}}))
	for _, client := range sdks() {
		for _, c := range calls {
			t.Run(client.name+"/"+c.tool, func(t *testing.T) {
				client.call(t, b.Endpoint(server), c.tool, c.args, c.want)
			})
		}
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
