package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
)

// newDemoServerCommand is the server that demo puts behind its project: an ordinary stdio MCP
// server, hidden because nobody needs to start it by hand.
func newDemoServerCommand(env *Env, run func(context.Context, *Env) error) *cobra.Command {
	return &cobra.Command{
		Use:     "demo-server",
		Short:   "Speak MCP on standard input and output",
		Long:    `Speak MCP on standard input and output, with the tools echo, add and slow-count.`,
		Example: `  mcpfunc demo-server`,
		Hidden:  true,
		Args:    usualArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env) },
	}
}

func runDemoServer(ctx context.Context, env *Env) error {
	return newDemoServer().Run(ctx, &mcp.IOTransport{
		Reader: io.NopCloser(env.Stdin),
		Writer: writeNopCloser{raw(env.Stdout)},
	})
}

type writeNopCloser struct{ io.Writer }

func (writeNopCloser) Close() error { return nil }

func newDemoServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "mcpfunc-demo", Version: buildVersion()}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo", Description: "Return a message."}, echo)
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Add two numbers."}, add)
	mcp.AddTool(server, &mcp.Tool{Name: "slow-count", Description: "Count, with one progress notification per step."}, slowCount)
	return server
}

type echoArguments struct {
	Message string `json:"message" jsonschema:"the message to return"`
}

func echo(_ context.Context, _ *mcp.CallToolRequest, in echoArguments) (*mcp.CallToolResult, any, error) {
	return text("%s", in.Message), nil, nil
}

type addArguments struct {
	A float64 `json:"a" jsonschema:"the first number"`
	B float64 `json:"b" jsonschema:"the second number"`
}

func add(_ context.Context, _ *mcp.CallToolRequest, in addArguments) (*mcp.CallToolResult, any, error) {
	return text("%v", in.A+in.B), nil, nil
}

// maxCount keeps a mistyped number from occupying the demo for hours.
const maxCount = 100

type slowCountArguments struct {
	To int `json:"to" jsonschema:"count from 1 to this, at most 100"`
	MS int `json:"ms,omitempty" jsonschema:"milliseconds between two numbers, default 200, at most 10000"`
}

func slowCount(ctx context.Context, req *mcp.CallToolRequest, in slowCountArguments) (*mcp.CallToolResult, any, error) {
	if in.To < 1 || in.To > maxCount || in.MS < 0 || in.MS > 10_000 {
		return nil, nil, fmt.Errorf("count to between 1 and %d, at most 10000 ms apart", maxCount)
	}
	step := 200 * time.Millisecond
	if in.MS > 0 {
		step = time.Duration(in.MS) * time.Millisecond
	}
	token := req.Params.GetProgressToken()
	for n := 1; n <= in.To; n++ {
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		if token == nil {
			continue
		}
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: token,
			Progress:      float64(n),
			Total:         float64(in.To),
			Message:       fmt.Sprint(n),
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return text("counted to %d", in.To), nil, nil
}

func text(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}
