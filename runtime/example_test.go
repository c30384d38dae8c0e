package mcpfunc_test

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/auth"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// What a generated main.go does.
func Example() {
	cfg, err := mcpfunc.LoadConfig("mcp_config.json")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	app, err := mcpfunc.New(cfg, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	if err := app.ListenAndServe(context.Background(), mcpfunc.FunctionsAddr()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// teamKeys knows one user a key.
type teamKeys map[string]string

func (k teamKeys) Verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	user, ok := k[token]
	if !ok {
		return nil, &mcpfunc.AuthError{
			Status: http.StatusUnauthorized, Code: "authentication_required", Message: "Missing or invalid Authorization header",
		}
	}
	return &auth.TokenInfo{UserID: user}, nil
}

func (k teamKeys) Environ(_ context.Context, _ string, caller *auth.TokenInfo) (map[string]string, error) {
	return map[string]string{"TEAM_USER": caller.UserID}, nil
}

// Callers known by keys of the team's own.
func ExampleAuth() {
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{{
		Name: "git-tools", Command: "uvx", Args: []string{"mcp-server-git"},
		Env:  map[string]string{"GIT_REPO_PATH": "/srv/repo"},
		Auth: teamKeys{os.Getenv("ALICES_KEY"): "alice"},
	}}}, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer app.Close()
	http.Handle("/api/", app)
}

// Processes started in a sandbox: the command is wrapped, the rest is as always.
func ExampleLauncherFunc() {
	sandboxed := func(ctx context.Context, s mcpfunc.Server, env []string) (mcpfunc.Process, error) {
		s.Args = append([]string{"--unshare-net", "--ro-bind", "/", "/", s.Command}, s.Args...)
		s.Command = "bwrap"
		return mcpfunc.ExecLauncher{}.Launch(ctx, s, env)
	}
	cfg := &mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "time", Command: "uvx", Args: []string{"mcp-server-time"}}}}
	app, err := mcpfunc.New(cfg, &mcpfunc.Options{Launcher: mcpfunc.LauncherFunc(sandboxed)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer app.Close()
}
