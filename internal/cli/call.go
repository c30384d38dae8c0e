package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

type callOptions struct {
	clientOptions
	Tool      string
	Arguments string   // a JSON object, "-" for one on standard input, or nothing
	Args      []string // name=value
	Raw       bool     // texts as they are
}

func newCallCommand(env *Env, run func(context.Context, *Env, *callOptions) error) *cobra.Command {
	opts := &callOptions{}
	cmd := &cobra.Command{
		Use:   "call URL|SERVER TOOL [JSON|-]",
		Short: "Call a tool of a running server",
		Long: `Connect as an MCP client, call a tool and print its result. Pass the arguments
as a JSON object, as a JSON object on standard input (-), or with --arg
name=value. A value of --arg is text if the tool's schema expects text, and JSON
if it can be parsed as JSON. Progress and log messages go to standard error. The
command fails if the tool reports an error.

Control characters that could affect a terminal are escaped in text, even if the
output is not a terminal. With --raw, a file or a pipe receives text unchanged.`,
		Example: `  mcpfunc call time get_current_time --arg timezone=Europe/Berlin
  mcpfunc call demo add '{"a": 2, "b": 3}'
  echo '{"message": "hello"}' | mcpfunc call demo echo - --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Target, opts.Tool = args[0], args[1]
			if len(args) > 2 {
				opts.Arguments = args[2]
			}
			return run(cmd.Context(), env, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().BoolVar(&opts.Raw, "raw", false, "print text unchanged; not allowed on a terminal")
	cmd.Flags().StringArrayVar(&opts.Args, "arg", nil, "pass one argument (`name=value`); repeatable")
	return cmd
}

func runCall(ctx context.Context, env *Env, opts *callOptions) error {
	switch {
	case opts.Raw && opts.JSON:
		return misusef("--raw and --json contradict each other")
	case opts.Raw && isTerminal(env.Stdout):
		return withHint(misusef("--raw does not print to a terminal, because the output could control it"), "send the output to a file or a pipe, or omit --raw")
	}
	arguments, err := readArguments(opts.Arguments, env.Stdin)
	if err != nil {
		return err
	}
	for _, arg := range opts.Args {
		if name, _, ok := strings.Cut(arg, "="); !ok || name == "" {
			return misusef("invalid argument %q: want name=value", arg)
		}
	}
	return opts.withSession(ctx, env, func(ctx context.Context, session *clientSession) error {
		if len(opts.Args) > 0 {
			tool, err := findTool(ctx, session, opts.Tool)
			if err != nil {
				return err
			}
			for _, arg := range opts.Args {
				name, value, _ := strings.Cut(arg, "=")
				arguments[name] = argumentValue(tool, name, value)
			}
		}
		return callTool(ctx, env, session, opts.Tool, arguments, opts)
	})
}

// readArguments returns the arguments that text holds; "-" means what stdin holds.
func readArguments(text string, stdin io.Reader) (map[string]json.RawMessage, error) {
	arguments := map[string]json.RawMessage{}
	if text == "" {
		return arguments, nil
	}
	data := []byte(text)
	if text == "-" {
		var err error
		if data, err = io.ReadAll(stdin); err != nil {
			return nil, fmt.Errorf("read the arguments from standard input: %w", err)
		}
	}
	if err := json.Unmarshal(data, &arguments); err != nil || arguments == nil {
		return nil, withHint(misusef("the arguments are not a JSON object"),
			`write them as '{"name": "value"}', or use --arg name=value`)
	}
	return arguments, nil
}

func findTool(ctx context.Context, session *clientSession, name string) (*mcp.Tool, error) {
	tools, err := allTools(ctx, session.ClientSession)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tool := range tools {
		if tool.Name == name {
			return tool, nil
		}
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return nil, withHint(fmt.Errorf("there is no tool %q", name), "there are "+strings.Join(names, ", "))
}

// argumentValue reads the value of an --arg. Text that happens to look like a number stays text
// where the tool wants text.
func argumentValue(tool *mcp.Tool, name, value string) json.RawMessage {
	schema, _ := tool.InputSchema.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	property, _ := properties[name].(map[string]any)
	if property["type"] != "string" && json.Valid([]byte(value)) {
		return json.RawMessage(value)
	}
	quoted, _ := json.Marshal(value) // a string always marshals
	return quoted
}

// callTool calls a tool and prints its answer.
func callTool(ctx context.Context, env *Env, session *clientSession, tool string, arguments any, opts *callOptions) error {
	params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	params.SetProgressToken("mcpfunc-call")
	var result *mcp.CallToolResult
	err := env.during("calling "+tool, func() (err error) {
		result, err = session.CallTool(ctx, params)
		return err
	})
	if err != nil {
		return err
	}
	if opts.JSON {
		if err := printJSON(env.Stdout, result); err != nil {
			return err
		}
	}
	if result.IsError {
		if text := contentText(result.Content); text != "" {
			return fmt.Errorf("the tool %q failed: %s", tool, text)
		}
		return fmt.Errorf("the tool %q failed", tool)
	}
	if opts.JSON {
		return nil
	}
	out := env.Stdout
	if opts.Raw {
		out = raw(out)
	}
	return printResult(out, result)
}

// printResult prints the texts of a result, and everything else as JSON.
func printResult(w io.Writer, result *mcp.CallToolResult) error {
	var errs error
	for _, content := range result.Content {
		if text, ok := content.(*mcp.TextContent); ok {
			_, err := fmt.Fprintln(w, strings.TrimSuffix(text.Text, "\n"))
			errs = errors.Join(errs, err)
			continue
		}
		errs = errors.Join(errs, printJSON(w, content))
	}
	if len(result.Content) == 0 && result.StructuredContent != nil {
		errs = printJSON(w, result.StructuredContent)
	}
	return errs
}

func contentText(contents []mcp.Content) string {
	var texts []string
	for _, content := range contents {
		if text, ok := content.(*mcp.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	return strings.Join(texts, "\n")
}
