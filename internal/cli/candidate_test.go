package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/importer"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func TestClaudeCodeKeepsServersByProjectAndByUser(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(dir)
	if err != nil {
		t.Fatal(err)
	}
	text := `{
  "numStartups": 7,
  "projects": {
    "/elsewhere": {"mcpServers": {"other": {"command": "other"}}},
    ` + string(quoted) + `: {
      "history": [],
      "mcpServers": {
        "far": {"type": "sse", "url": "https://example.org"},
        "both": {"command": "of-the-project"}
      }
    }
  },
  "mcpServers": {"both": {"command": "of-the-user"}, "mine": {"type": "stdio", "command": "mine", "env": {}}}
}`
	// It is known by what is in it.
	for _, name := range []string{".claude.json", "backup.json"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, where := range []string{dir, filepath.Join(dir, "below")} {
			if err := os.MkdirAll(where, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Chdir(where)
			env, _, _ := testEnv()
			result, err := importFrom(t.Context(), env, filepath.Join(dir, name), importer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range result.LeftOut {
				got = append(got, strings.TrimPrefix(n.String(), dir+string(filepath.Separator)))
			}
			for _, s := range result.Servers {
				got = append(got, s.Name+": "+s.Parsed.Command)
			}
			want := []string{
				name + `:8: server "far": is a remote server, which already has a URL, at example.org: mcpfunc serves only programs that speak stdio`,
				"both: of-the-project",
				"mine: mine",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("in %s (-want +got):\n%s", where, diff)
			}
		}
		t.Chdir(dir)
	}
}

// Nobody is there to answer, and standard input never ends.
func TestCommandsWithoutATerminalAskNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	never, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typing.Close()
	defer never.Close()
	for _, test := range []struct {
		line string
		code int
		said string
	}{
		{"init app", exitFailed, "hint: --config FILE names one"},
		{"init app -- uvx mcp-server-time", exitDone, "mcpfunc dev"},
		{"init app --yes -- uvx mcp-server-time", exitDone, "mcpfunc dev"},
		{"init app", exitDone, "servers from app"},
		{"add-server other --project app", exitMisused, `write it after "--"`},
		{"remove-server nobody --project app", exitFailed, "nobody"},
		{"validate --project app", exitDone, ""},
		{"generate --project app", exitDone, ""},
		{"list --project app", exitDone, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
		env, stdout, stderr := testEnv()
		env.Stdin = never
		if code := run(ctx, strings.Fields(test.line), env); code != test.code {
			t.Errorf("%s: exit code = %d, want %d:\n%s%s", test.line, code, test.code, stdout, stderr)
		}
		cancel()
		if !strings.Contains(stderr.String(), test.said) {
			t.Errorf("%s said %q, want %q in it", test.line, stderr, test.said)
		}
	}
}
