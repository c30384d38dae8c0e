package mcpfunc_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// What a generated main.go does.
func ExampleApp_ListenAndServe() {
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

// A configuration in hand. What is wrong with one is said with the place.
func ExampleParseConfig() {
	cfg, err := mcpfunc.ParseConfig([]byte(`{
		"mcpServers": {
			"git": {"command": "uvx", "args": ["mcp-server-git", "--repository", "${REPOSITORY}"]},
		}
	}`), func(name string) (string, bool) { return "/srv/repo", name == "REPOSITORY" })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Servers[0].Name, cfg.Servers[0].Args)

	_, err = mcpfunc.ParseConfig([]byte(`{
		"mcpServers": {
			"git": {"command": "uvx", "timeout_seconds": "thirty"},
		}
	}`), nil)
	var wrong *mcpfunc.ConfigError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.File, wrong.Line, wrong.Server, wrong.Key)
	}
	fmt.Println(err)
	// Output:
	// git [mcp-server-git --repository /srv/repo]
	// mcp_config.json 3 git timeout_seconds
	// mcp_config.json:3: server "git": "timeout_seconds" must be a number of seconds, not a string
}

// A program that is not installed.
func ExampleCommandError() {
	server := mcpfunc.Server{Name: "time", Command: "uvx", Args: []string{"mcp-server-time"}}
	_, err := mcpfunc.ExecLauncher{}.Launch(context.Background(), server, []string{"PATH=/nowhere"})
	var missing *mcpfunc.CommandError
	if errors.As(err, &missing) {
		fmt.Println(err)
		fmt.Println("hint:", missing.Hint)
	}
	// Output:
	// start uvx: executable file not found in $PATH
	// hint: install uv, which includes uvx: https://docs.astral.sh/uv/getting-started/installation/
}
