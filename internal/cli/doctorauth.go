package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/authprobe"
)

type doctorAuthOptions struct{ clientOptions }

func newDoctorAuthCommand(env *Env, run func(context.Context, *Env, *doctorAuthOptions) error) *cobra.Command {
	opts := &doctorAuthOptions{}
	cmd := &cobra.Command{
		Use:   "auth URL|SERVER",
		Short: "Follow a client's way to a token, step by step",
		Long: `Ask a running server as an MCP client does that has no token yet, and follow
what it says: the challenge, the resource's metadata, its issuers, their keys.
Each step is ok or says the hint. With a token the command also says what the
server makes of it, and why. The token goes to the server alone and is not
printed.`,
		Example: `  mcpfunc doctor auth https://my-app.azurewebsites.net/api/mcp
  mcpfunc doctor auth time --token "$(az account get-access-token --scope api://APP/.default --query accessToken -o tsv)"`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Target = args[0]
			return run(cmd.Context(), env, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().Lookup("json").Usage = "print a list of objects"
	return cmd
}

func runDoctorAuth(ctx context.Context, env *Env, opts *doctorAuthOptions) error {
	endpoint, err := opts.endpoint()
	if err != nil {
		return err
	}
	header, err := opts.header(env)
	if err != nil {
		return err
	}
	token := strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	header.Del("Authorization") // the discovery is that of a client without a token
	ctx, cancel := opts.deadline(ctx)
	defer cancel()
	return report(env, authprobe.Probe(ctx, endpoint, header, token), false, opts.JSON)
}
