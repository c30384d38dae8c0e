package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inputs are files in the shapes that people have. Each is read in this way, where it is there.
var inputs = map[string]struct {
	servers string   // those that are taken, by their names
	left    []string // pieces of what is said of those that are not
	changed []string // pieces of what is said of the others
	err     string   // a piece of the error
}{
	"abs.json":           {servers: "here gone win rel tilde fs"},
	"allcomment.json":    {err: "is empty: it contains only comments"},
	"cfgcmd.json":        {err: "uses ${config:acme.path}, a setting of the editor"},
	"claude-backup.json": {servers: "acme"},
	"codex.toml":         {servers: "acme"},
	"comment.json":       {servers: "acme"},
	"copilot.json":       {servers: "acme", changed: []string{"${COPILOT_MCP_ACME}"}},
	"devcontainer.json":  {servers: "acme"},
	"docker.json": {servers: "sh dir bun deno net java dnx pipx pnpm sm", left: []string{
		`"gh": "command" is docker`, `"gw": "command" is docker`, `"ex": "command" is docker`, `"pod": "command" is podman`,
		`"rem": only connects to a remote server through mcp-remote; it already has a URL, at example.com`, `"osa": "command" is osascript, of macOS`}},
	"dockercat.yaml": {err: "is from Docker's MCP catalog"},
	"goose.yaml":     {servers: "acme", changed: []string{`"timeout" is 300 seconds, which is "request_timeout_seconds": 300 here`}},
	"list.json":      {servers: "acme"},
	"manifest.json":  {servers: "acme", changed: []string{"which is now the variable TOKEN of the app"}},
	"names.json": {servers: "acme-notes acme-docs-server acme-board acme-jp sse-server fetch fetch-2 note", changed: []string{
		`"Acme Notes": cannot be used in a URL and as the name of a folder: it is "acme-notes" here`, `"Fetch": has the name of another server`}},
	"nullenv.json":  {servers: "num"},
	"opencode.json": {servers: "acme", changed: []string{`"env.TOKEN" is read from ${ACME_TOKEN}`}},
	"plug.json":     {servers: "p", changed: []string{"uses ${CLAUDE_PLUGIN_ROOT}, the folder of a Claude plugin"}},
	"registry.json": {servers: "acme"},
	"slash.json":    {servers: "sep", changed: []string{"as the path separator, instead of that of the editor's machine", "uses ${workspaceFolder}, the folder that is open in the editor"}},
	"timeouts.json": {servers: "cline roo ms cop cc t n off d h", left: []string{`"vs": "sandboxEnabled" restricts`, `"t2": is a remote server`},
		changed: []string{`"requestTimeout" is 60000 milliseconds, which is "request_timeout_seconds": 60 here`, `"off": stays disabled`}},
	"vars.json": {servers: "env ws sep dol pct til empty ph num", left: []string{
		"uses ${workspaceFolderBasename}, the name of the folder", "uses ${userHome}, the home folder"},
		changed: []string{`"dol": "env.A" is read from ${ACME_TOKEN}`, `"pct": "env.A" is read from ${ACME_TOKEN}`, `"ph": "env.C_TOKEN" is a placeholder`}},
	"vscode-settings.json": {servers: "acme", changed: []string{"asks for acme_pass, a secret, which is now the variable ACME_PASS of the app"}},
	"win.json": {servers: "a b c g h i j", left: []string{`"d": "command" is wsl`, `"e": "command" is powershell`, `"f": "command" is run.bat`, `"k": "command" is acme.cmd`},
		changed: []string{`"a": "command" is npx, without cmd`, `"c": "command" is now node`}},
	"zed.json": {servers: "acme"},
}

func TestInputsThatPeopleHave(t *testing.T) {
	t.Parallel()
	for name, want := range inputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "inputs", "configs", name))
			if errors.Is(err, os.ErrNotExist) {
				t.Skipf("../shared/inputs/configs/%s does not exist", name)
			}
			if err != nil {
				t.Fatal(err)
			}
			result, err := Read(name, data, Options{Dir: "/"})
			checkResult(t, data, result, err)
			said := told(result, err)
			if want.err != "" {
				if err == nil || !strings.Contains(err.Error(), want.err) {
					t.Errorf("%v, want %s", err, want.err)
				}
				return
			}
			if err != nil {
				t.Fatal(said)
			}
			var names []string
			for _, s := range result.Servers {
				names = append(names, s.Name)
			}
			if got := strings.Join(names, " "); got != want.servers {
				t.Errorf("servers %s, want %s", got, want.servers)
			}
			if len(result.LeftOut) != len(want.left) {
				t.Errorf("%d were left out, want %d:\n%s", len(result.LeftOut), len(want.left), said)
			}
			for _, piece := range append(want.left, want.changed...) {
				if !strings.Contains(said, piece) {
					t.Errorf("%q is not said:\n%s", piece, said)
				}
			}
		})
	}
}
