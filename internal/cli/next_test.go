package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCommandAloneSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	project := filepath.Join(t.TempDir(), "app")
	if code, _, stderr := mcpfuncRun(t, "", "init", project, "--yes", "--", "uvx", "mcp-server-time"); code != 0 {
		t.Fatal(stderr)
	}
	within := filepath.Join(project, "tools")
	configured, broken, empty := t.TempDir(), t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(within, "x"):            "",
		filepath.Join(configured, "mcp.json"): `{"mcpServers": {}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(broken, "mcp_config.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		project:    "mcpfunc dev to serve it",
		within:     "mcpfunc dev " + project,
		configured: "run mcpfunc init myapp to make a project for the servers in " + filepath.Join(configured, "mcp.json"),
		broken:     "correct the configuration",
		empty:      "mcpfunc demo",
	} {
		if got := whatNext(dir, ""); !strings.HasPrefix(got, "Next: ") || !strings.Contains(got, want) {
			t.Errorf("in %s: %q, want it to contain %q", dir, got, want)
		}
	}
}
