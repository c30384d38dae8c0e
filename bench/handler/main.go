// Command handler is what a generated project builds to. It serves mcp_config.json of its working directory.
// With the build tag profile, it can write profiles of itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "handler:", err)
		os.Exit(1)
	}
}

// profile records profiles into a directory until done is called; nil without the build tag profile, because what it
// needs would count in the size of the handler.
var profile func(dir string) (done func(), err error)

func run(ctx context.Context) error {
	if dir := os.Getenv("MCPFUNC_BENCH_PROFILE"); dir != "" && profile != nil {
		done, err := profile(dir)
		if err != nil {
			return err
		}
		defer done()
	}
	cfg, err := mcpfunc.LoadConfig("mcp_config.json")
	if err != nil {
		return err
	}
	app, err := mcpfunc.New(cfg, nil)
	if err != nil {
		return err
	}
	return app.ListenAndServe(ctx, mcpfunc.FunctionsAddr())
}
