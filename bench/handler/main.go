// Command handler is what a generated project builds to, and can write profiles of itself. It
// serves mcp_config.json of its working directory.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
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

func run(ctx context.Context) error {
	if dir := os.Getenv("MCPFUNC_BENCH_PROFILE"); dir != "" {
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

// profile records a CPU profile from now on, and every allocation. The function that it returns
// writes them into dir.
func profile(dir string) (done func(), err error) {
	runtime.MemProfileRate = 16 << 10
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		cpu.Close()
		allocs, err := os.Create(filepath.Join(dir, "allocs.pprof"))
		if err == nil {
			err = pprof.Lookup("allocs").WriteTo(allocs, 0)
			allocs.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "handler: write a profile:", err)
		}
	}, nil
}
