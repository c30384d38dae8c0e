package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
	"github.com/mcpfunc/mcpfunc/internal/importer"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
)

// A source is where the servers of a new project come from.
type source struct {
	path    string // names data in messages
	origin  string // the file that the servers come from; empty where they were described
	data    []byte // what the project's mcp_config.json will hold
	flags   []string
	command []string // with flags, what names the same source on the command line

	imported *importer.Result // nil where the servers were described
}

// chooseSource finds the servers: what the command line names, else what a person picks, else what
// is found.
func chooseSource(ctx context.Context, env *Env, opts *initOptions) (source, error) {
	switch {
	case opts.Config != "":
		return fileSource(ctx, env, opts, opts.Config)
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
		return askSource(ctx, env, opts)
	}
	path, err := discover(env, opts.Dir)
	if err != nil {
		return source{}, err
	}
	env.note("servers from %s", path)
	return fileSource(ctx, env, opts, path)
}

// fileSource reads a configuration of any client. What belongs to an mcp_config.json and nothing else is
// taken as it is, but for what had to change; anything else gives its servers only. The project's own
// file is taken as it is, whatever is in it: it is not written over.
func fileSource(ctx context.Context, env *Env, opts *initOptions, path string) (source, error) {
	src := source{path: path, origin: path, flags: []string{"--config", path}}
	for _, as := range opts.As {
		src.flags = append(src.flags, "--as", as)
	}
	if own := filepath.Join(opts.Dir, configName); sameFile(path, own) {
		var err error
		src.data, err = readFile(path)
		return src, err
	}
	as, err := parseAs(opts.As)
	if err != nil {
		return src, err
	}
	src.imported, err = importFrom(ctx, env, path, importer.Options{As: as})
	if err != nil {
		tellNone(env, err)
		return src, err
	}
	tell(env, src.imported.LeftOut, src.imported.Changed)
	if src.data = src.imported.Config; !src.imported.Same {
		src.path = filepath.Join(opts.Dir, configName) // whose lines are others
	}
	return src, nil
}

// sameFile reports whether two names are of one file that is there.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func describedSource(name string, entry configedit.Entry) (source, error) {
	data, err := described(name, entry)
	src := source{
		path: configName, data: data,
		flags:   []string{"--server", name},
		command: append([]string{entry.Command}, entry.Args...),
	}
	if entry.Auth.Method != "" {
		src.flags = append(src.flags, "--auth", string(entry.Auth.Method))
	}
	return src, err
}

// described is a configuration of one server. Its errors have no line, as nobody has seen the file.
func described(name string, entry configedit.Entry) ([]byte, error) {
	data, err := configedit.New(configedit.NamedEntry{Name: name, Entry: entry})
	if e := (*config.Error)(nil); errors.As(err, &e) {
		bare := *e
		bare.Line = 0
		err = &bare
	}
	return data, err
}

// askSource lets a person pick a file or describe a server.
func askSource(ctx context.Context, env *Env, opts *initOptions) (source, error) {
	files := candidates(ctx, env, opts.Dir)
	pick := 0
	if len(files) > 0 {
		var err error
		options := append(describe(env, files), "describe a server")
		if pick, err = env.Prompter.Select("Where do the servers come from?", options); err != nil {
			return source{}, err
		}
	}
	if pick < len(files) {
		return fileSource(ctx, env, opts, files[pick].path)
	}
	return askServer(env)
}

func askServer(env *Env) (source, error) {
	var entry configedit.Entry
	if err := askCommand(env, &entry); err != nil {
		return source{}, err
	}
	name, err := env.Prompter.Input("Name of the server:", serverName(entry), checkServerName)
	if err != nil {
		return source{}, err
	}
	options := []string{
		"none: anyone with a Functions key",
		"azure_default: the app's managed identity",
		"azure_obo: Entra ID users, on their behalf",
		"oauth2_bearer: users of another identity provider",
	}
	pick, err := env.Prompter.Select("How are callers authenticated?", options)
	if err != nil {
		return source{}, err
	}
	entry.Auth = authFor(authMethods[pick])
	return describedSource(strings.TrimSpace(name), entry)
}

// A launcher starts servers that are packages.
type launcher struct {
	program  string
	args     []string // before the package
	registry string
	example  string
}

func launchers() []launcher {
	return []launcher{
		{"uvx", nil, "PyPI", "mcp-server-time"},
		{"npx", []string{"-y"}, "npm", "@modelcontextprotocol/server-everything"},
	}
}

// askCommand asks for the command of a server: by what it is started, then the rest of the line, with
// quotes as in a shell and nothing else of one.
func askCommand(env *Env, entry *configedit.Entry) error {
	known, where := launchers(), map[string]string{}
	for _, l := range known {
		if path, err := exec.LookPath(l.program); err == nil {
			where[l.program] = path
		}
	}
	slices.SortStableFunc(known, func(a, b launcher) int { // what is here comes first
		return cmp.Compare(min(len(where[b.program]), 1), min(len(where[a.program]), 1))
	})
	options := make([]string, 0, len(known)+1)
	for _, l := range known {
		options = append(options, fmt.Sprintf("%s: a package from %s (%s)", l.program, l.registry, cmp.Or(where[l.program], "not on PATH")))
	}
	pick, err := env.Prompter.Select("What starts the server?", append(options, "another command"))
	if err != nil {
		return err
	}
	question, before := "Command line of the server:", []string(nil)
	if pick < len(known) {
		l := known[pick]
		question = fmt.Sprintf("Package and its arguments, such as %s:", l.example)
		before = append([]string{l.program}, l.args...)
	}
	line, err := env.Prompter.Input(question, "", func(line string) error {
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
	words = append(before, words...)
	entry.Command, entry.Args = words[0], words[1:]
	return nil
}
func splitCommand(line string) ([]string, error) {
	words, err := shellquote.Split(line)
	if err != nil {
		return nil, fmt.Errorf("invalid command line: %w", err)
	}
	if len(words) == 0 {
		return nil, errors.New("a server needs a command")
	}
	return words, nil
}

// checkServerName lets the configuration's own rule judge a name.
func checkServerName(name string) error { return config.CheckName(strings.TrimSpace(name)) }

func askAuthLevel(p Prompter) (string, error) {
	pick, err := p.Select("Which Functions key do callers need?", []string{
		"per server: a function key, or none if the server checks tokens",
		"anonymous: none",
		"function: a function key",
		"admin: the master key",
	})
	return []string{"", "anonymous", "function", "admin"}[pick], err
}

// serverName offers a name for a server by what its command runs.
func serverName(entry configedit.Entry) string {
	if c, err := nuget.ParseCommand(entry.Command, entry.Args); err == nil { // whose options take values
		return importer.NameFor(cmp.Or(c.Package, c.Tool), nil)
	}
	return importer.NameFor(entry.Command, entry.Args)
}
