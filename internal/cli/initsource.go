package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A source is where the servers of a new project come from.
type source struct {
	path string // names it in messages
	data []byte // what the project's mcp_config.json will hold
}

// chooseSource finds the servers: what the command line names, else what a person picks, else what
// is found.
func chooseSource(env *Env, opts *initOptions) (source, error) {
	switch {
	case opts.Config != "":
		return fileSource(env, opts.Config)
	case len(opts.Command) > 0:
		entry, err := newEntry(opts.Command, opts.Env, opts.Auth)
		if err != nil {
			return source{}, err
		}
		name := opts.Server
		if name == "" {
			name = serverName(entry)
		}
		return describedSource(name, entry)
	case opts.asks(env):
		return askSource(env, opts.Dir)
	}
	path, err := discover(env, opts.Dir)
	if err != nil {
		return source{}, err
	}
	env.note("servers from %s", path)
	return fileSource(env, path)
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

// fileSource reads a configuration. A file that holds more than servers, the settings of an editor
// or of a desktop app, gives its servers only.
func fileSource(env *Env, path string) (source, error) {
	if ownedByApp(path) {
		empty, err := config.New()
		if err != nil {
			return source{}, err
		}
		data, err := importServers(env, empty, path, "")
		return source{path: path, data: data}, err
	}
	data, err := readFile(path)
	return source{path: path, data: data}, err
}

// ownedByApp reports whether a file holds the settings of a program, of which servers are a part.
func ownedByApp(path string) bool {
	return slices.Contains([]string{"claude_desktop_config.json", "settings.json"}, filepath.Base(path))
}

func describedSource(name string, entry config.Entry) (source, error) {
	data, err := config.New(config.NamedEntry{Name: name, Entry: entry})
	return source{path: configName, data: data}, err
}

// candidates returns the configuration files that are there: what discovery would take first, then
// those of the usual clients.
func candidates(env *Env, dir string) []string {
	var found []string
	add := func(path string) {
		if _, err := os.Stat(path); err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	if path, err := discover(env, dir); err == nil {
		add(path)
	}
	add(filepath.Join(".cursor", "mcp.json"))
	add(filepath.Join(".vscode", "mcp.json"))
	if env.Home != "" {
		add(filepath.Join(env.Home, ".cursor", "mcp.json"))
	}
	if env.ConfigDir != "" {
		add(filepath.Join(env.ConfigDir, "Claude", "claude_desktop_config.json"))
		add(filepath.Join(env.ConfigDir, "Code", "User", "mcp.json"))
		add(filepath.Join(env.ConfigDir, "Code", "User", "settings.json"))
	}
	// The settings of a program usually hold no servers; offering them would be noise.
	return slices.DeleteFunc(found, func(path string) bool {
		return ownedByApp(path) && len(serversIn(path)) == 0
	})
}

// serversIn returns the names of the servers of a file that can be served, none when it cannot be read.
func serversIn(path string) []string {
	data, err := readFile(path)
	if err != nil {
		return nil
	}
	servers, err := config.Import(path, data)
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range servers {
		if s.Err == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// askSource lets a person pick a file or describe a server.
func askSource(env *Env, dir string) (source, error) {
	files := candidates(env, dir)
	options := make([]string, 0, len(files)+1)
	for _, f := range files {
		if names := serversIn(f); len(names) > 0 {
			f += " (" + strings.Join(names, ", ") + ")"
		}
		options = append(options, f)
	}
	options = append(options, "describe a server")
	pick := 0
	if len(files) > 0 {
		var err error
		if pick, err = env.Prompter.Select("Where do the servers come from?", options); err != nil {
			return source{}, err
		}
	}
	if pick < len(files) {
		return fileSource(env, files[pick])
	}
	return askServer(env.Prompter)
}

func askServer(p Prompter) (source, error) {
	var entry config.Entry
	if err := askCommand(p, &entry); err != nil {
		return source{}, err
	}
	name, err := p.Input("Name of the server:", serverName(entry), checkServerName)
	if err != nil {
		return source{}, err
	}
	options := []string{
		"none: anybody with a Functions key",
		"azure_default: the app's managed identity",
		"azure_obo: Entra ID users, on their behalf",
		"oauth2_bearer: users of another identity provider",
	}
	pick, err := p.Select("How are callers known?", options)
	if err != nil {
		return source{}, err
	}
	entry.Auth = authFor(authMethods[pick])
	return describedSource(strings.TrimSpace(name), entry)
}

// askCommand asks for the command line of a server, with quotes as in a shell and nothing else of one.
func askCommand(p Prompter, entry *config.Entry) error {
	line, err := p.Input("Command line of the server, such as uvx mcp-server-time:", "", func(line string) error {
		_, err := splitCommand(line)
		return err
	})
	if err != nil {
		return err
	}
	words, err := splitCommand(line)
	if err != nil {
		return err
	}
	entry.Command, entry.Args = words[0], words[1:]
	return nil
}

func splitCommand(line string) ([]string, error) {
	words, err := shellquote.Split(line)
	if err != nil {
		return nil, fmt.Errorf("the command line: %w", err)
	}
	if len(words) == 0 {
		return nil, errors.New("a server needs a command")
	}
	return words, nil
}

// checkServerName lets the configuration's own rule judge a name.
func checkServerName(name string) error {
	_, err := config.New(config.NamedEntry{Name: strings.TrimSpace(name), Entry: config.Entry{Command: "any"}})
	return err
}

func askAuthLevel(p Prompter) (string, error) {
	pick, err := p.Select("Which Functions key do callers need?", []string{
		"by server: a function key, and none where tokens guard it",
		"anonymous: none",
		"function: a function key",
		"admin: the master key",
	})
	return []string{"", "anonymous", "function", "admin"}[pick], err
}

// serverName offers a name for a server by what its command runs: "time" for uvx mcp-server-time.
func serverName(entry config.Entry) string {
	program := entry.Command
	for _, arg := range entry.Args {
		if !strings.HasPrefix(arg, "-") {
			program = arg
			break
		}
	}
	name := strings.TrimSuffix(path.Base(filepath.ToSlash(program)), ".exe")
	name, _, _ = strings.Cut(name, "@") // a version
	for _, affix := range []string{"mcp-server-", "server-", "mcp-"} {
		name = strings.TrimPrefix(name, affix)
	}
	for _, affix := range []string{"-mcp-server", "-mcp", "-server"} {
		name = strings.TrimSuffix(name, affix)
	}
	return nameFrom(name, "server")
}
