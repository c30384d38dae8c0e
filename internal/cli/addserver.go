package cli

import (
	"context"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
	"github.com/mcpfunc/mcpfunc/internal/importer"
)

type addServerOptions struct {
	Project  string
	Name     string // empty with From: all of its servers
	Env      []string
	Auth     string
	From     string   // a file or a URL
	Registry string   // the name that a registry has for a server, or that registry's file
	As       []string // other names for servers of From
	Disabled bool
	Command  []string // program and arguments
	Yes      bool
	JSON     bool
}

func newAddServerCommand(env *Env, run func(context.Context, *Env, *addServerOptions) error) *cobra.Command {
	opts := &addServerOptions{}
	cmd := &cobra.Command{
		Use:   "add-server NAME [-- COMMAND ARGS...]",
		Short: "Add a server to the configuration",
		Long: `Add an entry to mcp_config.json and update the generated files. Every other byte
of the configuration stays as it is. The command follows "--"; without it,
mcpfunc asks for it on a terminal. Write a secret as ${NAME}: the app reads it
when it starts.

With --from, the entry NAME comes from another client's configuration, a
registry's server.json or an MCP bundle, in a file or at a URL; without NAME,
all of its entries do. Servers that mcpfunc cannot serve are skipped, and each
change to an entry is reported, with the reason. --registry selects a server by
its name in a registry and pins it to the version described there.`,
		Example: `  mcpfunc add-server time -- uvx mcp-server-time
  mcpfunc add-server github --env 'GITHUB_TOKEN=${GITHUB_TOKEN}' -- npx -y @modelcontextprotocol/server-github
  mcpfunc add-server --from ~/.codex/config.toml
  mcpfunc add-server notes --from notes.mcpb
  mcpfunc add-server --registry io.example/acme --from https://example.com/server.json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.take(args, cmd.ArgsLenAtDash()); err != nil {
				return err
			}
			return run(cmd.Context(), env, opts)
		},
	}
	flags := cmd.Flags()
	bindProject(cmd, &opts.Project)
	flags.StringArrayVar(&opts.Env, "env", nil, "set a variable in the server's environment (`NAME=value`); repeatable")
	flags.StringVar(&opts.Auth, "auth", "", "authenticate callers with this `method`: none (default), azure_default, azure_obo or oauth2_bearer")
	flags.StringVar(&opts.From, "from", "", "read the entry from this `file` or URL of any client, registry or bundle")
	flags.StringVar(&opts.Registry, "registry", "", "add the server with this `name` in a registry, from the file or URL of --from")
	flags.StringArrayVar(&opts.As, "as", nil, "rename the server to this `name`, or OLD=NAME for one of several; repeatable")
	flags.BoolVar(&opts.Disabled, "disabled", false, "add the server disabled")
	flags.BoolVarP(&opts.Yes, "yes", "y", false, "do not ask questions")
	flags.BoolVar(&opts.JSON, "json", false, "print the changes as a JSON list; with --from, a JSON object that includes skipped and changed servers")
	return cmd
}

// take sorts the arguments; dash is how many of them stand before "--", or negative.
func (o *addServerOptions) take(args []string, dash int) error {
	if dash >= 0 {
		args, o.Command = args[:dash], args[dash:]
	}
	switch {
	case len(args) > 1:
		return withHint(misusef("unexpected argument %q", args[1]), `write "--" before the command of the server`)
	case len(args) == 1:
		o.Name = args[0]
	case o.From == "" && o.Registry == "":
		return misusef("a server needs a name")
	}
	if err := o.takeRegistry(); err != nil {
		return err
	}
	if o.From == "" && len(o.As) > 0 {
		return misusef("--as needs --from, whose server it renames")
	}
	if _, err := parseAs(o.As); err != nil {
		return err
	}
	if o.From != "" && (len(o.Command) > 0 || len(o.Env) > 0 || o.Auth != "" || o.Disabled) {
		return misusef("--from takes the whole entry: it excludes a command, --env, --auth and --disabled")
	}
	return checkAuthMethod(o.Auth)
}

// takeRegistry makes of --registry what --from and NAME say: the name that a registry has for a server
// is the one to take, and NAME what it is called here. A file or a URL stands for --from.
func (o *addServerOptions) takeRegistry() error {
	if o.Registry == "" {
		return nil
	}
	if _, err := os.Stat(o.Registry); isURL(o.Registry) || err == nil {
		if o.From != "" {
			return misusef("--registry and --from both name a file")
		}
		o.From = o.Registry
		return nil
	}
	if o.From == "" {
		return withHint(misusef("--registry %q needs the registry's file", o.Registry), "--from FILE or --from URL names it")
	}
	if o.Name != "" {
		if len(o.As) > 0 {
			return misusef("%q and --as both name the server", o.Name)
		}
		o.As = []string{o.Name}
	}
	o.Name = o.Registry
	return nil
}

func runAddServer(ctx context.Context, env *Env, opts *addServerOptions) error {
	data, err := readProjectConfig(opts.Project)
	if err != nil {
		return err
	}
	before, err := config.Parse(configName, data, nil)
	if err != nil {
		return inProject(opts.Project, err)
	}
	var imported *importer.Result
	if opts.From != "" {
		if imported, err = importOne(ctx, env, opts); err != nil {
			return err
		}
		data, err = addImported(data, imported.Servers)
	} else {
		data, err = addEntry(env, data, opts)
	}
	if err != nil {
		return inProject(opts.Project, err)
	}
	a, changes, err := applyEdit(env, opts.Project, data)
	if err != nil {
		return err
	}
	if imported != nil {
		laid, err := layBundles(opts.Project, imported.Servers)
		if err != nil {
			return err
		}
		changes = append(changes, laid...)
	}
	if err := printAdded(env, opts, imported, changes); err != nil {
		return err
	}
	warnOfPaths(env, without(a.config, before), opts.Project, opts.From)
	warnOfServers(env, a.config, before)
	known := wanted(before.Variables)
	for _, name := range wanted(a.config.Variables) {
		if !slices.Contains(known, name) {
			env.note("%s must have a value when the app starts: set it in local.settings.json here, and as an app setting on Azure", name)
		}
	}
	return nil
}

// importOne reads the servers that are to be added, and reports what was changed.
func importOne(ctx context.Context, env *Env, opts *addServerOptions) (*importer.Result, error) {
	as, err := parseAs(opts.As)
	if err != nil {
		return nil, err
	}
	imported, err := importFrom(ctx, env, opts.From, importer.Options{Only: opts.Name, As: as, Away: true})
	if err != nil {
		tellNone(env, err)
		return nil, err
	}
	tell(env, imported.LeftOut, imported.Changed)
	return imported, bundleConflict(opts.Project, imported.Servers)
}

// printAdded prints what was done; after an import also what was left out and changed.
func printAdded(env *Env, opts *addServerOptions, imported *importer.Result, changes []generator.Change) error {
	if !opts.JSON || imported == nil {
		return printChanges(env, changes, opts.JSON)
	}
	return printJSON(env.Stdout, struct {
		importReport
		Changes []generator.Change `json:"changes"`
	}{reportOf(imported), changes})
}

// without is file less the servers of another.
func without(file, known *config.File) *config.File {
	rest := *file
	rest.Servers = slices.DeleteFunc(slices.Clone(file.Servers), func(s config.Server) bool {
		return slices.ContainsFunc(known.Servers, func(k config.Server) bool { return k.Name == s.Name })
	})
	return &rest
}

func addEntry(env *Env, data []byte, opts *addServerOptions) ([]byte, error) {
	entry, err := newEntry(opts.Command, opts.Env, opts.Auth)
	if err != nil {
		return nil, err
	}
	if entry.Command == "" {
		if env.Prompter == nil || opts.Yes {
			return nil, withHint(misusef("the server %q needs a command", opts.Name), `write it after "--": -- COMMAND ARGS...`)
		}
		if err := askCommand(env, &entry); err != nil {
			return nil, err
		}
	}
	if opts.Disabled {
		if entry, err = switchedOff(entry); err != nil {
			return nil, err
		}
	}
	return configedit.AddServer(data, opts.Name, entry)
}
