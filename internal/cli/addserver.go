package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

type addServerOptions struct {
	Project  string
	Name     string // empty with From: all of its servers
	Env      []string
	Auth     string
	From     string
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
		Long: `Add an entry to mcp_config.json, every other byte of which stays as it is, and
bring the generated files in line. The command follows "--" and is asked for on
a terminal when it does not. With --from the entry of that name comes from
another configuration; without NAME, all of its entries do. Write a secret as
${NAME}: it is read when the app starts.`,
		Example: `  mcpfunc add-server time -- uvx mcp-server-time
  mcpfunc add-server github --env 'GITHUB_TOKEN=${GITHUB_TOKEN}' -- npx -y @modelcontextprotocol/server-github
  mcpfunc add-server --from ~/.cursor/mcp.json`,
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
	flags.StringArrayVar(&opts.Env, "env", nil, "set this in the server's environment (`NAME=value`); may be repeated")
	flags.StringVar(&opts.Auth, "auth", "", "how callers are known (`method`): none, which is the default, azure_default, azure_obo or oauth2_bearer")
	flags.StringVar(&opts.From, "from", "", "take the entry from this `file`, of any accepted shape")
	flags.BoolVar(&opts.Disabled, "disabled", false, "add it switched off")
	flags.BoolVarP(&opts.Yes, "yes", "y", false, "ask nothing")
	flags.BoolVar(&opts.JSON, "json", false, "print the changes as a list of objects")
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
	case o.From == "":
		return misusef("a server needs a name")
	}
	if o.From != "" && (len(o.Command) > 0 || len(o.Env) > 0 || o.Auth != "" || o.Disabled) {
		return misusef("--from takes the whole entry, so no command, --env, --auth or --disabled goes with it")
	}
	return checkAuthMethod(o.Auth)
}

func runAddServer(_ context.Context, env *Env, opts *addServerOptions) error {
	data, err := readProjectConfig(opts.Project)
	if err != nil {
		return err
	}
	before, err := config.Parse(configName, data, nil)
	if err != nil {
		return inProject(opts.Project, err)
	}
	if opts.From != "" {
		data, err = importServers(env, data, opts.From, opts.Name)
	} else {
		data, err = addEntry(env, data, opts)
	}
	if err != nil {
		return inProject(opts.Project, err)
	}
	a, err := applyEdit(env, opts.Project, data, opts.JSON)
	if err != nil {
		return err
	}
	warnOfServers(env, a.config, before)
	known := wanted(before.Variables)
	for _, name := range wanted(a.config.Variables) {
		if !slices.Contains(known, name) {
			env.note("%s must have a value when the app starts: here in local.settings.json, on Azure as an app setting", name)
		}
	}
	return nil
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
