package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mcpfunc/mcpfunc/internal/config"
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
func candidates(env *Env, dir string) []candidate {
	var found []candidate
	add := func(client, path string) {
		if _, err := os.Stat(path); err != nil || slices.ContainsFunc(found, func(c candidate) bool { return c.path == path }) {
			return
		}
		c := candidate{client: client, path: path}
		servers, err := importable(path)
		c.broken = err != nil
		for _, s := range servers {
			if s.Err != nil {
				c.left++
			} else {
				c.servers = append(c.servers, s.Name)
			}
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

// discovered stands in a candidate's client for what would be taken without a question.
const discovered = "found here"

// clientFiles lists where MCP clients keep their servers, this folder's first.
func clientFiles(env *Env) []candidate {
	files := []candidate{
		{client: "Claude Code", path: ".mcp.json"},
		{client: "Cursor", path: filepath.Join(".cursor", "mcp.json")},
		{client: "VS Code", path: filepath.Join(".vscode", "mcp.json")},
	}
	if env.Home != "" {
		files = append(files,
			candidate{client: "Claude Code", path: filepath.Join(env.Home, claudeCodeName)},
			candidate{client: "Cursor", path: filepath.Join(env.Home, ".cursor", "mcp.json")},
			candidate{client: "Windsurf", path: filepath.Join(env.Home, ".codeium", "windsurf", "mcp_config.json")},
		)
	}
	if env.ConfigDir == "" {
		return files
	}
	files = append(files, candidate{client: "Claude Desktop", path: filepath.Join(env.ConfigDir, "Claude", "claude_desktop_config.json")})
	for _, code := range []string{"Code", "Code - Insiders"} {
		user := filepath.Join(env.ConfigDir, code, "User")
		profiles, _ := filepath.Glob(filepath.Join(user, "profiles", "*", "mcp.json")) // fails on bad patterns only
		for _, path := range slices.Concat([]string{filepath.Join(user, "mcp.json"), filepath.Join(user, "settings.json")}, profiles) {
			files = append(files, candidate{client: "VS Code", path: path})
		}
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

// ownedByApp reports whether a file holds the settings of a program, of which servers are a part.
func ownedByApp(path string) bool {
	return slices.Contains([]string{"claude_desktop_config.json", "settings.json", claudeCodeName}, filepath.Base(path))
}

// ofClient reports whether a file is another program's own list of servers.
func ofClient(path string) bool {
	return slices.Contains([]string{".cursor", "windsurf", "User"}, filepath.Base(filepath.Dir(path))) ||
		filepath.Base(filepath.Dir(filepath.Dir(path))) == "profiles"
}

// importable reads the servers of a file of any shape, one of Claude Code's state included.
func importable(path string) ([]config.Imported, error) {
	if filepath.Base(path) == claudeCodeName {
		return claudeCodeServers(path)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return config.Import(path, data)
}

const (
	claudeCodeName  = ".claude.json"
	claudeCodeLimit = 64 << 20 // bytes; it holds a history beside the servers
)

// claudeCodeServers reads the state of Claude Code: the servers of the current folder's project, or
// of the nearest one above it, under projects.PATH.mcpServers, and behind them those of the user under
// mcpServers. Of two with one name the project's counts, as it does there.
func claudeCodeServers(path string) ([]config.Imported, error) {
	data, err := readUpTo(path, claudeCodeLimit)
	if err != nil {
		return nil, err
	}
	var state struct {
		Servers  json.RawMessage `json:"mcpServers"`
		Projects map[string]struct {
			Servers json.RawMessage `json:"mcpServers"`
		} `json:"projects"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for filepath.Dir(dir) != dir && len(state.Projects[dir].Servers) == 0 {
		dir = filepath.Dir(dir)
	}
	var servers []config.Imported
	for _, part := range []json.RawMessage{state.Projects[dir].Servers, state.Servers} {
		if len(part) == 0 {
			continue
		}
		// As many lines in front as in the file, so that errors name its lines.
		above := bytes.Count(data[:bytes.Index(data, part)], []byte("\n"))
		list, err := config.Import(path, slices.Concat(bytes.Repeat([]byte("\n"), above), []byte(`{"mcpServers": `), part, []byte("}")))
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if !slices.ContainsFunc(servers, func(o config.Imported) bool { return o.Name == s.Name }) {
				servers = append(servers, s)
			}
		}
	}
	return servers, nil
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
