package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// defaultPort is that of the Functions host when it runs locally.
const defaultPort = 7071

type devOptions struct {
	Dir  string
	Port int // zero means any free one
	JSON bool

	PublicURL string // empty: as each request says, by http
}

func newDevCommand(env *Env, run func(context.Context, *Env, *devOptions) error) *cobra.Command {
	opts := &devOptions{}
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Build and serve the project here; reload on change",
		Long: `Update the generated files of the project in DIR (default: the current folder),
build it and serve it under a built-in Functions host on 127.0.0.1. When its
configuration or code changes, it is built and started again. If the build
fails, the errors are shown and the old handler keeps serving. Sessions survive
a reload if another process can take them over ("on_lost" in the guide), and end
otherwise. Once the endpoints answer, they are printed, one per line, with the
address of a page that shows live sessions and calls tools.

With --public-url the handler assumes, as on Azure, that clients use that
address, and announces URLs that begin with it. Use it behind a tunnel. The page
is for this machine only and is not served then.

Ctrl-C ends the host, the handler and every server. This is the normal end of
dev, so the exit code is 0.`,
		Example: `  mcpfunc dev
  mcpfunc dev myapp --port 8080
  mcpfunc dev --public-url https://app.example.net`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = dirArg(args)
			if opts.Port < 0 || opts.Port > 65535 {
				return misusef("invalid --port %d: want a number from 0 to 65535", opts.Port)
			}
			if err := hostemu.CheckPublic(opts.PublicURL); err != nil {
				return misusef("--public-url: %v", err)
			}
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().IntVar(&opts.Port, "port", defaultPort, "listen on this `port`; 0 selects a free port")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print the endpoints as a JSON list")
	cmd.Flags().StringVar(&opts.PublicURL, "public-url", "", "answer as if clients used this `url`")
	return cmd
}

func runDev(ctx context.Context, env *Env, opts *devOptions) (err error) {
	start := time.Now()
	file, err := prepare(ctx, env, opts.Dir)
	if err != nil {
		return err
	}
	served, err := withSessionKey(env, opts.Dir)
	if err != nil {
		return err
	}
	key := rand.Text()
	if opts.PublicURL == "" {
		served = withPage(served, key)
	}
	host, err := serve(ctx, served, opts.Dir, opts.Port, opts.PublicURL, env.Stderr)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, host.Close())
		warnWritten(env, opts.Dir, start)
	}()

	env.note("serving after %s", since(start))
	if err := showEndpoints(env, host, file, opts.JSON); err != nil {
		return err
	}
	if opts.PublicURL == "" {
		env.note("%s %s\n", styleFor(env, env.Stderr).bold("Page:"), pageURL(host, key))
	}
	return reloadOnChange(ctx, env, opts.Dir, host)
}

// reloadOnChange returns when ctx ends, without an error.
func reloadOnChange(ctx context.Context, env *Env, dir string, host *hostemu.Host) error {
	w, err := newWatcher(dir)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := w.look(); err != nil {
		return err
	}
	style := styleFor(env, env.Stderr)
	env.note("%s for changes in %s; press Ctrl-C to stop", style.dim("watching"), dir)
	for {
		if changed, err := w.next(ctx); !changed || err != nil {
			return err
		}
		env.note("%s", style.dim("changed; building"))
		start := time.Now()
		file, err := reload(ctx, env, dir, host)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			env.complain("%s%s", style.red("not reloaded: "), oneLine(err.Error()))
			if hint := hintOf(err); hint != "" {
				env.complain("%s%s", style.cyan("hint: "), oneLine(hint))
			}
		default:
			env.note("%s after %s: %s", style.green("reloaded"), since(start), count(len(file.Enabled()), "server"))
		}
	}
}

// reload builds the project and starts what came out of it. When it does not build, the handler
// that runs is left alone.
func reload(ctx context.Context, env *Env, dir string, host *hostemu.Host) (*config.File, error) {
	file, err := prepare(ctx, env, dir)
	if err != nil {
		return nil, err
	}
	if err := host.Restart(ctx); err != nil {
		return nil, err
	}
	return file, host.Ready(ctx)
}

// warnWritten names what servers wrote into their packages, which works here and fails on Azure.
func warnWritten(env *Env, dir string, start time.Time) {
	names, err := pack.Written(dir, start)
	if err != nil || len(names) == 0 {
		return // dev has done what it was asked for
	}
	style := styleFor(env, env.Stderr)
	for _, name := range names[:min(len(names), 5)] {
		env.complain("warning: a server wrote %s", oneLine(name))
	}
	env.complain("%s%s", style.cyan("hint: "), pack.WrittenHint)
}

// since is the time from start, as precise as a person cares for.
func since(start time.Time) time.Duration { return time.Since(start).Round(time.Millisecond) }
