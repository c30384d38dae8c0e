package mcpfunc_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// memory is a process in memory: an MCP server that runs in this program.
type memory struct {
	io.Reader // its stdout
	io.WriteCloser
	kill context.CancelFunc
	gone chan struct{}
}

func (m *memory) Wait() error {
	<-m.gone
	return nil
}

func (m *memory) Kill() error {
	m.kill()
	return m.Close()
}

// greeter starts a server with one tool, which answers with the variable NAME of its environment.
func greeter(_ context.Context, s mcpfunc.Server, env []string) (mcpfunc.Process, error) {
	server := mcp.NewServer(&mcp.Implementation{Name: s.Name, Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "greet"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		i := slices.IndexFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "NAME=") })
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: env[i]}}}, nil, nil
	})
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	ctx, kill := context.WithCancel(context.Background())
	m := &memory{Reader: out, WriteCloser: in, kill: kill, gone: make(chan struct{})}
	go func() {
		defer close(m.gone)
		defer stdout.Close()
		server.Run(ctx, &mcp.IOTransport{Reader: stdin, Writer: stdout})
	}()
	return m, nil
}

// A test without programs: the processes are in memory, everything else is as in production.
func ExampleLauncherFunc() {
	app, err := mcpfunc.New(
		&mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "greeter", Command: "greeter", Env: map[string]string{"NAME": "Ada"}}}},
		&mcpfunc.Options{Launcher: mcpfunc.LauncherFunc(greeter), Logger: slog.New(slog.DiscardHandler)},
	)
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	srv := httptest.NewServer(app)
	defer srv.Close()

	ctx := context.Background()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: srv.URL + "/api/mcp/greeter", DisableStandaloneSSE: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "greet"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Content[0].(*mcp.TextContent).Text)
	session.Close()
	// Output: NAME=Ada
}
