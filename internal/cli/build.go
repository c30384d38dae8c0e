package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

type buildOptions struct {
	Dir    string
	GOOS   string
	GOARCH string
	JSON   bool
}

func newBuildCommand(env *Env, run func(context.Context, *Env, *buildOptions) error) *cobra.Command {
	opts := &buildOptions{}
	cmd := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Compile the handler for publishing",
		Long: `Compile the handler of the project in DIR (default: the current folder) to the
path that host.json names, and print that path. The default platform is that of
Azure Functions, linux/amd64. The same sources and Go version produce the same
bytes, wherever the project is.`,
		Example: `  mcpfunc build
  mcpfunc build myapp --goarch arm64
  mcpfunc build --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = dirArg(args)
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().StringVar(&opts.GOOS, "goos", "linux", "build for this operating `system`")
	cmd.Flags().StringVar(&opts.GOARCH, "goarch", "amd64", "build for this `architecture`")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON object")
	return cmd
}

func runBuild(ctx context.Context, env *Env, opts *buildOptions) error {
	start := time.Now()
	build := goBuild{
		Dir: opts.Dir, GOOS: opts.GOOS, GOARCH: opts.GOARCH,
		Env: env.Environ, Output: env.Stderr,
	}
	env.debug("go build for %s/%s in %s", opts.GOOS, opts.GOARCH, opts.Dir)
	var handler string
	err := env.duringProgress("building the handler", func(p *progress) (err error) {
		build.Doing = p.doing
		handler, err = build.run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(handler)
	if err != nil {
		return err
	}
	if opts.JSON {
		return printJSON(env.Stdout, struct {
			Handler string  `json:"handler"`
			GOOS    string  `json:"goos"`
			GOARCH  string  `json:"goarch"`
			Bytes   int64   `json:"bytes"`
			Seconds float64 `json:"seconds"`
		}{handler, opts.GOOS, opts.GOARCH, info.Size(), time.Since(start).Seconds()})
	}
	env.note("built for %s/%s, %.1f MB", opts.GOOS, opts.GOARCH, float64(info.Size())/1e6)
	_, err = fmt.Fprintln(env.Stdout, handler)
	return err
}

// dirArg returns the optional DIR argument of a command.
func dirArg(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}
