//go:build e2e

// An MCP server that asks Azure for a token as its author's `az login` would let it: it knows nothing
// of who is calling, nor of this project. server.mjs and server.py are the same for the other SDKs.
package main

import (
	"context"
	"log"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		log.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "azure-go", Version: "1"}, nil)
	type input struct {
		Scope string `json:"scope"`
	}
	add := func(name string, tool func(context.Context, input) (string, error)) {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(ctx context.Context, _ *mcp.CallToolRequest, in input) (*mcp.CallToolResult, any, error) {
			text, err := tool(ctx, in)
			if err != nil {
				return nil, nil, err
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		})
	}
	add("token", func(ctx context.Context, in input) (string, error) {
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{in.Scope}})
		return token.Token, err
	})
	add("environment", func(context.Context, input) (string, error) {
		return strings.Join(os.Environ(), "\n"), nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Fatal(err)
	}
}
