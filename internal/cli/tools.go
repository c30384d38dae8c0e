package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

type toolsOptions struct{ clientOptions }

func newToolsCommand(env *Env, run func(context.Context, *Env, *toolsOptions) error) *cobra.Command {
	opts := &toolsOptions{}
	cmd := &cobra.Command{
		Use:   "tools URL|SERVER",
		Short: "List the tools of a running server",
		Long: `Connect as an MCP client and list the tools of a server: that at URL, or the
server named SERVER of the app that runs locally or at --url.`,
		Example: `  mcpfunc tools time
  mcpfunc tools time --url https://my-app.azurewebsites.net --header x-functions-key:KEY
  mcpfunc tools https://my-app.azurewebsites.net/api/mcp --token "$(az account get-access-token --query accessToken -o tsv)"`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Target = args[0]
			return run(cmd.Context(), env, opts)
		},
	}
	opts.bind(cmd)
	return cmd
}

func runTools(ctx context.Context, env *Env, opts *toolsOptions) error {
	return opts.withSession(ctx, env, func(ctx context.Context, session *clientSession) error {
		var tools []*mcp.Tool
		err := env.during("listing the tools", func() (err error) {
			tools, err = allTools(ctx, session.ClientSession)
			return err
		})
		if err != nil {
			return err
		}
		if opts.JSON {
			return printJSON(env.Stdout, struct {
				Tools []*mcp.Tool `json:"tools"`
			}{tools})
		}
		return printTools(env.Stdout, tools)
	})
}

// allTools reads every page of the list.
func allTools(ctx context.Context, session *mcp.ClientSession) ([]*mcp.Tool, error) {
	tools := []*mcp.Tool{}
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, err
		}
		tools = append(tools, tool)
	}
	return tools, nil
}

func printTools(w io.Writer, tools []*mcp.Tool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOOL\tARGUMENTS\tDESCRIPTION")
	for _, tool := range tools {
		first, _, _ := strings.Cut(strings.TrimSpace(tool.Description), "\n")
		fmt.Fprintf(table, "%s\t%s\t%s\n", oneLine(tool.Name), oneLine(strings.Join(argumentNames(tool), " ")), oneLine(first))
	}
	return table.Flush()
}

// argumentNames returns the arguments of a tool, the required ones first, the others in brackets.
func argumentNames(tool *mcp.Tool) []string {
	schema, _ := tool.InputSchema.(map[string]any)
	required, _ := schema["required"].([]any)
	var names []string
	for _, name := range required {
		if name, ok := name.(string); ok {
			names = append(names, name)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(names, name) {
			names = append(names, "["+name+"]")
		}
	}
	return names
}
