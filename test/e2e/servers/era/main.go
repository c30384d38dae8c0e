// Command era is a server on stdio that speaks the protocol versions it is given, and has one tool,
// echo.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type echo struct {
	Message string `json:"message"`
}

// withoutInitialize refuses the handshake as a server does that has none.
func withoutInitialize(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
		if method != "initialize" {
			return next(ctx, method, r)
		}
		return nil, &jsonrpc.Error{
			Code: mcp.CodeUnsupportedProtocolVersion, Message: "only 2026-07-28 is spoken here",
			Data: []byte(`{"supported":["2026-07-28"],"requested":"2025-11-25"}`),
		}
	}
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "era", Version: "1"}, &mcp.ServerOptions{SupportedProtocolVersions: os.Args[1:]})
	mcp.AddTool(server, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in echo) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Echo: " + in.Message}}}, nil, nil
	})
	if !slices.ContainsFunc(os.Args[1:], func(version string) bool { return version < "2026-07-28" }) {
		server.AddReceivingMiddleware(withoutInitialize) // which the SDK answers whatever versions it is given
	}
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		fmt.Fprintln(os.Stderr, "era:", err)
		os.Exit(1)
	}
}
