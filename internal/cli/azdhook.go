package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/publish"
)

// newAZDPreprovisionCommand is the hook that azd runs before it creates resources, the same in every shell.
// It is hidden because only azure.yaml names it.
func newAZDPreprovisionCommand(env *Env, run func(context.Context, *Env) error) *cobra.Command {
	return &cobra.Command{
		Use:   "azd-preprovision",
		Short: "Prepare an azd environment, as a hook of azd",
		Long: `Create the session key of the azd environment if it does not have one, and name
the deleted vaults whose names are still taken. azure.yaml runs this command
before azd creates resources.`,
		Example: `  mcpfunc azd-preprovision`,
		Hidden:  true,
		Args:    usualArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env) },
	}
}

func runAZDPreprovision(ctx context.Context, env *Env) error {
	streams := publish.Streams{Environ: env.Environ, In: env.Stdin, Out: env.Stdout, Err: env.Stderr}
	if err := publish.KeepAZDKey(ctx, streams); err != nil {
		return err
	}
	style := styleFor(env, env.Stderr)
	for _, vault := range publish.DeletedVaults(ctx, streams, process.Getenv(env.Environ, "AZURE_ENV_NAME")) {
		env.note("%s the vault %s of this environment is deleted, but its name is still taken", style.bold("warning:"), vault)
		env.note("%s run az keyvault purge --name %s, or set recoverVault to true in infra/main.parameters.json; next time, run azd down --purge", style.cyan("hint:"), vault)
	}
	return nil
}
