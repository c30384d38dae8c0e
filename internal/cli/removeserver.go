package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

type removeServerOptions struct {
	Project string
	Name    string
	JSON    bool
}

func newRemoveServerCommand(env *Env, run func(context.Context, *Env, *removeServerOptions) error) *cobra.Command {
	opts := &removeServerOptions{}
	cmd := &cobra.Command{
		Use:   "remove-server NAME",
		Short: "Remove a server from the configuration",
		Long: `Remove an entry from mcp_config.json and update the generated files. Every other
byte of the configuration stays as it is. To disable a server and keep its
entry, set "disabled": true.`,
		Example: `  mcpfunc remove-server time
  mcpfunc remove-server time --project myapp`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			return run(cmd.Context(), env, opts)
		},
	}
	bindProject(cmd, &opts.Project)
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the changes as a JSON list")
	return cmd
}

func runRemoveServer(_ context.Context, env *Env, opts *removeServerOptions) error {
	data, err := readProjectConfig(opts.Project)
	if err != nil {
		return err
	}
	if data, err = configedit.RemoveServer(data, opts.Name); err != nil {
		return inProject(opts.Project, err)
	}
	_, changes, err := applyEdit(env, opts.Project, data)
	if err != nil {
		return err
	}
	return printChanges(env, changes, opts.JSON)
}
