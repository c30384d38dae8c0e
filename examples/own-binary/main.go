// Command notes is an MCP server over standard input and output that keeps notes for its one client.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	n := &notes{}
	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Keep a note."}, n.add)
	mcp.AddTool(server, &mcp.Tool{Name: "list", Description: "Read every note."}, n.list)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err) // standard output belongs to MCP
		os.Exit(1)
	}
}

// notes are those of one session. Its calls may come at once.
type notes struct {
	mu    sync.Mutex
	texts []string
}

type note struct {
	Text string `json:"text" jsonschema:"what to keep"`
}

func (n *notes) add(_ context.Context, _ *mcp.CallToolRequest, in note) (*mcp.CallToolResult, any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, in.Text)
	return said("note %d is kept", len(n.texts)), nil, nil
}

func (n *notes) list(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.texts) == 0 {
		return said("there are no notes"), nil, nil
	}
	return said("%s", strings.Join(n.texts, "\n")), nil, nil
}

func said(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}
