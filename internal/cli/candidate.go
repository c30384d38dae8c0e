package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

// A candidate is a configuration that init offers.
type candidate struct {
	client  string // whose it is
	path    string
	servers []string // that can be served
	left    int      // servers that cannot, remote ones mostly
	broken  bool     // it cannot be read
}

// candidates returns the configurations that are there: the one that discovery takes, then those of
// the usual clients. What discovery takes is offered in any state, as taking another one instead would
// be a surprise; of the others, those with a server for us.
func candidates(ctx context.Context, env *Env, dir string) []candidate {
	var found []candidate
	add := func(client, path string) {
		if _, err := os.Stat(path); err != nil || slices.ContainsFunc(found, func(c candidate) bool { return c.path == path }) {
			return
		}
		c := candidate{client: client, path: path}
		result, err := importFrom(ctx, env, path, importer.Options{})
		none := (*importer.NoneError)(nil)
		switch {
		case err == nil:
			c.left = len(result.LeftOut)
			for _, s := range result.Servers {
				c.servers = append(c.servers, s.Name)
			}
		case errors.As(err, &none):
			c.left = len(none.LeftOut)
		default:
			c.broken = true
		}
		if len(c.servers) > 0 || client == discovered {
			found = append(found, c)
		}
	}
	if path, err := discover(env, dir); err == nil {
		add(discovered, path)
	}
	for _, p := range clientFiles(env) {
		add(p.client, p.path)
	}
	return found
}

// discovered, as a candidate's client, marks what would be used without a question.
const discovered = "found here"

// clientFiles lists where MCP clients keep their servers, this folder's first.
func clientFiles(env *Env) []candidate {
	var files []candidate
	add := func(base string, list ...[2]string) {
		for _, f := range list {
			files = append(files, candidate{client: f[0], path: filepath.Join(base, filepath.FromSlash(f[1]))})
		}
	}
	add("",
		[2]string{"Claude Code", ".mcp.json"},
		[2]string{"Cursor", ".cursor/mcp.json"},
		[2]string{"VS Code", ".vscode/mcp.json"},
		[2]string{"dev container", ".devcontainer/devcontainer.json"},
		[2]string{"Copilot", ".github/mcp.json"},
		[2]string{"Codex", ".codex/config.toml"},
		[2]string{"opencode", "opencode.json"},
		[2]string{"opencode", "opencode.jsonc"},
		[2]string{"Zed", ".zed/settings.json"},
		[2]string{"Gemini", ".gemini/settings.json"},
		[2]string{"Gemini", "gemini-extension.json"},
		[2]string{"Kiro", ".kiro/settings/mcp.json"},
		[2]string{"Roo", ".roo/mcp.json"},
		[2]string{"Kilo", ".kilocode/mcp.json"},
		[2]string{"LibreChat", "librechat.yaml"},
		[2]string{"registry", "server.json"},
	)
	if env.Home != "" {
		add(env.Home,
			[2]string{"Claude Code", ".claude.json"},
			[2]string{"Cursor", ".cursor/mcp.json"},
			[2]string{"Windsurf", ".codeium/windsurf/mcp_config.json"},
			[2]string{"Codex", ".codex/config.toml"},
			[2]string{"opencode", ".config/opencode/opencode.json"},
			[2]string{"opencode", ".config/opencode/opencode.jsonc"},
			[2]string{"Zed", ".config/zed/settings.json"},
			[2]string{"Gemini", ".gemini/settings.json"},
			[2]string{"Goose", ".config/goose/config.yaml"},
			[2]string{"Continue", ".continue/config.yaml"},
			[2]string{"Copilot", ".copilot/mcp-config.json"},
			[2]string{"Kiro", ".kiro/settings/mcp.json"},
		)
	}
	if env.ConfigDir == "" {
		return files
	}
	add(env.ConfigDir, [2]string{"Claude Desktop", "Claude/claude_desktop_config.json"})
	for _, code := range []string{"Code", "Code - Insiders"} {
		user := filepath.Join(env.ConfigDir, code, "User")
		add(user, [2]string{"VS Code", "mcp.json"}, [2]string{"VS Code", "settings.json"})
		profiles, _ := filepath.Glob(filepath.Join(user, "profiles", "*", "mcp.json")) // fails on bad patterns only
		for _, path := range profiles {
			add("", [2]string{"VS Code", path})
		}
		storage := filepath.Join(user, "globalStorage")
		add(storage,
			[2]string{"Cline", "saoudrizwan.claude-dev/settings/cline_mcp_settings.json"},
			[2]string{"Roo", "rooveterinaryinc.roo-cline/settings/mcp_settings.json"},
			[2]string{"Kilo", "kilocode.kilo-code/settings/mcp_settings.json"},
		)
	}
	return files
}

// describe returns a line for each candidate, aligned.
func describe(env *Env, list []candidate) []string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, c := range list {
		holds := count(len(c.servers), "server")
		switch {
		case c.broken:
			holds = "broken"
		case c.left > 0:
			holds += fmt.Sprintf(" of %d", len(c.servers)+c.left)
		}
		names := c.servers
		if len(names) > 3 {
			names = append(names[:3:3], "…")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.client, holds, atHome(env, c.path), strings.Join(names, ", "))
	}
	_ = table.Flush() // a builder takes everything
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines[:len(list)]
}

// atHome writes a path below the home folder as people do.
func atHome(env *Env, path string) string {
	if env.Home == "" {
		return path
	}
	if rel, err := filepath.Rel(env.Home, path); err == nil && filepath.IsLocal(rel) {
		return filepath.Join("~", rel)
	}
	return path
}

// discover looks for a configuration in the project's folder first, as that may not be the current
// one, and then where every command of MCP looks.
func discover(env *Env, dir string) (string, error) {
	found, err := config.Discover(dir, "")
	if errors.Is(err, fs.ErrNotExist) {
		found, err = config.Discover(".", env.Home)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", withHint(err, "--config FILE names one, or describe a server: mcpfunc init --server NAME -- COMMAND ARGS...")
	}
	return found, err
}
