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
		Short: "Check how a client gets a token, step by step",
		Long: `Send a request to a running server as an MCP client without a token does, and
follow its answers: the challenge, the metadata of the resource, its issuers and
their keys. Each step is ok or has a hint. With a token, the command also says
whether the server accepts it, and why. The token is sent only to the server and
is never printed.`,
		Example: `  mcpfunc doctor auth https://my-app.azurewebsites.net/api/mcp
  mcpfunc doctor auth time --token "$(az account get-access-token --scope api://APP/.default --query accessToken -o tsv)"`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Target = args[0]
			return run(cmd.Context(), env, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().Lookup("json").Usage = "print a JSON list"
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
