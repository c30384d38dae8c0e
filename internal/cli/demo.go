package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

type demoOptions struct {
	Dir  string // empty means a new temporary folder
	Once bool
	Port int // zero means any free one
	JSON bool
}

func newDemoCommand(env *Env, run func(context.Context, *Env, *demoOptions) error) *cobra.Command {
	opts := &demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Show everything at once, on an embedded server",
		Long: `Scaffold a project around a small embedded server in DIR (default: a new
temporary folder), build it, serve it under the built-in Functions host, connect
as an MCP client, call its tools, and show how long each step takes. It needs
only Go. On a terminal it then keeps serving until Ctrl-C and exits with code 0.
Elsewhere, or with --once, it ends and prints the folder of the project, which
is kept in both cases; --once=false keeps it serving.`,
		Example: `  mcpfunc demo
  mcpfunc demo ./demo --once --json`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Dir = args[0]
			}
			if opts.Port < 0 || opts.Port > 65535 {
				return misusef("invalid --port %d: want a number from 0 to 65535", opts.Port)
			}
			if !cmd.Flags().Changed("once") {
				opts.Once = env.Prompter == nil // nobody is there to end it
			}
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Once, "once", false, "end after the last step")
	cmd.Flags().IntVar(&opts.Port, "port", 0, "listen on this `port`; 0 selects a free port")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "print a JSON object with the duration of each step")
	return cmd
}

const (
	demoServer = "demo"     // the name of the demo's server
	demoLog    = "demo.log" // what host and handler say, in the project
)

func runDemo(ctx context.Context, env *Env, opts *demoOptions) (err error) {
	d := &demo{env: env, dir: opts.Dir}
	defer func() {
		if opts.Dir == "" && ctx.Err() != nil && !d.concluded {
			_ = os.RemoveAll(d.dir) // nobody was told where it is
		}
	}()
	if err := d.step("scaffold", d.scaffold); err != nil {
		return err
	}
	if err := d.longStep("build", func(doing func(string)) (string, error) { return d.build(ctx, doing) }); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(d.dir, demoLog))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, log.Close())
		if err != nil && hintOf(err) == "" {
			err = withHint(err, "the log is in "+log.Name())
		}
	}()
	start := time.Now()
	host, err := serve(ctx, env, d.dir, opts.Port, "", log)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	d.done("serve", start, "the log is in "+log.Name())
	url := endpointURL(host, demoServer)
	if err := d.talk(ctx, url); err != nil {
		return err
	}
	if err := d.conclude(opts, host, url); err != nil || opts.Once {
		return err
	}
	env.note("Serving until Ctrl-C; the project is in %s.", d.dir)
	<-ctx.Done()
	return nil
}

// conclude prints what there is now: an app that answers, or the project of one that is about to end.
func (d *demo) conclude(opts *demoOptions, host *hostemu.Host, url string) error {
	d.concluded = true
	switch {
	case opts.JSON:
		if opts.Once {
			url = ""
		}
		return printJSON(d.env.Stdout, struct {
			Dir   string     `json:"dir"`
			URL   string     `json:"url,omitempty"` // while it is served
			Steps []demoStep `json:"steps"`
		}{d.dir, url, d.steps})
	case opts.Once:
		again := commandLine("mcpfunc", []string{"dev", d.dir})
		if byGoRun(d.env.Executable) {
			again = "go run ./cmd/" + again
		}
		d.env.note("\nAll of it works. To serve it again: %s", again)
		_, err := fmt.Fprintln(d.env.Stdout, d.dir)
		return err
	}
	d.env.note("")
	return showEndpoints(d.env, host, d.file, false)
}

// A demo is a run of the demo command.
type demo struct {
	env   *Env
	dir   string
	file  *config.File
	steps []demoStep

	concluded bool // it is up, and its folder has been named
}

// A demoStep is what one step did.
type demoStep struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

// step does a step and shows how long it took.
func (d *demo) step(name string, do func() (detail string, err error)) error {
	return d.longStep(name, func(func(string)) (string, error) { return do() })
}

// longStep is step for what says where it is now, by doing.
func (d *demo) longStep(name string, do func(doing func(now string)) (detail string, err error)) error {
	p := d.env.begin(name)
	detail, err := do(p.doing)
	p.end()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.done(name, p.start, detail)
	return nil
}

func (d *demo) done(name string, start time.Time, detail string) {
	d.steps = append(d.steps, demoStep{name, time.Since(start).Seconds(), detail})
	d.env.note("%s %-10s %8s  %s", styleFor(d.env, d.env.Stderr).green("ok"), name, since(start), detail)
}

// scaffold writes the project.
func (d *demo) scaffold() (string, error) {
	if d.dir == "" {
		dir, err := os.MkdirTemp("", "mcpfunc-demo-")
		if err != nil {
			return "", err
		}
		d.dir = dir
	}
	command, err := d.command()
	if err != nil {
		return "", err
	}
	data, err := configedit.New(configedit.NamedEntry{Name: demoServer, Entry: configedit.Entry{
		Command:     command,
		Args:        []string{"demo-server"},
		Description: "the embedded server of mcpfunc demo",
	}})
	if err != nil {
		return "", err
	}
	if d.file, err = config.Parse(configName, data, nil); err != nil {
		return "", err
	}
	plan, err := generator.Project{
		Name: "mcpfunc-demo", Config: d.file, ConfigData: data, Runtime: d.env.Runtime, SessionKey: sessionKeyFor(d.dir),
	}.Plan()
	if err != nil {
		return "", err
	}
	changes, err := plan.Write(d.dir, generator.Init, false)
	if c := (*generator.ConflictError)(nil); errors.As(err, &c) {
		return "", withHint(err, "name a folder that does not exist yet, or omit it")
	}
	return fmt.Sprintf("%s in %s", count(len(changes), "file"), d.dir), err
}

// command returns the absolute path of this program, for the server's command. Under `go run` the
// program is gone when it ends; then a copy in the project stands in for it.
func (d *demo) command() (string, error) {
	self := d.env.Executable
	if self == "" {
		return "", errors.New("cannot find the path of this program")
	}
	if !byGoRun(self) {
		return self, nil
	}
	copied, err := filepath.Abs(filepath.Join(d.dir, "bin", filepath.Base(self)))
	if err != nil {
		return "", err
	}
	return copied, copyProgram(self, copied)
}

// byGoRun reports whether a program is one that "go run" has built and will remove.
func byGoRun(program string) bool { return strings.Contains(filepath.ToSlash(program), "/go-build") }

func copyProgram(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A copy that an earlier demo still runs from is replaced, not written into.
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (d *demo) build(ctx context.Context, doing func(string)) (string, error) {
	build := goBuild{Dir: d.dir, Env: d.env.Environ, Output: d.env.Stderr, Doing: doing}
	handler, err := build.run(ctx)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(handler)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %.1f MB for %s/%s", handler, float64(info.Size())/1e6, runtime.GOOS, runtime.GOARCH), nil
}

// talk connects as a client and calls every tool.
func (d *demo) talk(ctx context.Context, url string) error {
	opts := clientOptions{Target: url, Timeout: time.Minute}
	start := time.Now()
	return opts.withSession(ctx, d.env, func(ctx context.Context, session *clientSession) error {
		greeting := session.InitializeResult()
		d.done("connect", start, "MCP "+greeting.ProtocolVersion+" at "+url)

		err := d.step("list", func() (string, error) {
			tools, err := allTools(ctx, session.ClientSession)
			names := make([]string, len(tools))
			for i, tool := range tools {
				names[i] = tool.Name
			}
			return strings.Join(names, ", "), err
		})
		if err != nil {
			return err
		}
		for _, call := range []mcp.CallToolParams{
			{Name: "echo", Arguments: map[string]any{"message": "hello"}},
			{Name: "add", Arguments: map[string]any{"a": 2, "b": 40}},
			{Name: "slow-count", Arguments: map[string]any{"to": 3}},
		} {
			err := d.step(call.Name, func() (string, error) {
				call.SetProgressToken("demo")
				result, err := session.CallTool(ctx, &call)
				if err != nil {
					return "", err
				}
				if result.IsError {
					return "", errors.New(contentText(result.Content))
				}
				return contentText(result.Content), nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
