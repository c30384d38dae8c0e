package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	"github.com/mcpfunc/mcpfunc/internal/publish"
)

type publishOptions struct {
	App    string
	Dir    string
	Group  string
	Slot   string
	DryRun bool
}

func newPublishCommand(env *Env, run func(context.Context, *Env, *publishOptions) error) *cobra.Command {
	opts := &publishOptions{}
	cmd := &cobra.Command{
		Use:   "publish APP [DIR]",
		Short: "Build, check and publish a project to a function app",
		Long: `Compile the project in DIR (default: the current folder) for Azure, install what
is locked if it is not installed, run the checks of doctor, and publish it to
the existing function app APP: with func (Azure Functions Core Tools) or, if
func is not on PATH, with az. If neither is on PATH, print the commands to run
elsewhere. If a check fails, nothing is published.

If az is on PATH, it also gives the app a session key, MCPFUNC_SESSION_KEY, with
which any instance can serve a session. An existing key is never replaced. With
--slot, all of this applies to that deployment slot, which keeps its own key
when slots are swapped.`,
		Example: `  mcpfunc publish my-app
  mcpfunc publish my-app myproject --dry-run
  mcpfunc publish my-app --slot staging
  mcpfunc publish my-app --resource-group my-group     for az, which otherwise looks for it`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.App, opts.Dir = args[0], dirArg(args[1:])
			if !publish.ValidApp(opts.App) {
				return misusef("invalid app name %q: want 2 to 60 letters, digits and hyphens, without a hyphen at either end", opts.App)
			}
			if cmd.Flags().Changed("slot") && !publish.ValidSlot(opts.Slot) {
				return misusef("invalid --slot %q: want the name of a deployment slot", opts.Slot)
			}
			if opts.Group != "" && !publish.ValidGroup(opts.Group) {
				return misusef("invalid --resource-group %q: want the name of a resource group", opts.Group)
			}
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().StringVar(&opts.Group, "resource-group", "", "name the resource `group` of the app, for az")
	cmd.Flags().StringVar(&opts.Slot, "slot", "", "publish to this deployment `slot`; Flex Consumption does not have slots")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "print the steps and commands; do nothing")
	return cmd
}

func runPublish(ctx context.Context, env *Env, opts *publishOptions) error {
	p, err := openProject(env, opts.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return noProjectIn(opts.Dir)
	}
	if err != nil {
		return err
	}
	if opts.Slot != "" && p.Flex() {
		return withHint(errors.New("not published: the project is for Flex Consumption, which does not support deployment slots"), "publish to a separate app, without --slot")
	}
	executable, err := handlerPath(opts.Dir)
	if err != nil {
		return err
	}
	publisher, err := publish.New(
		publish.Project{Dir: opts.Dir, Executable: executable, Stack: p.Stack(), Packed: hasLock(opts.Dir), App: opts.App, Slot: opts.Slot, Group: opts.Group},
		publish.Streams{Environ: env.Environ, In: env.Stdin, Out: raw(env.Stdout), Err: env.Stderr},
		console{env},
	)
	if err != nil {
		return err
	}
	if opts.DryRun {
		return printLines(env.Stdout, publisher.Plan())
	}
	if err := readyToPublish(ctx, env, opts.Dir); err != nil {
		return err
	}
	err = publisher.Publish(ctx)
	if !errors.Is(err, publish.ErrNoTool) {
		return err
	}
	if err := printLines(env.Stdout, publisher.Elsewhere()); err != nil {
		return err
	}
	return withHint(err, "the project is built and checked: run the commands above")
}

func printLines(w io.Writer, lines []string) error {
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// console shows what a publisher does.
type console struct{ env *Env }

func (c console) Running(command string) {
	c.env.note("%s", styleFor(c.env, c.env.Stderr).dim(command))
}

func (c console) During(what string, do func() error) error { return c.env.during(what, do) }

func (c console) KeySet(app string) {
	c.env.note("%s now has the app setting %s: any instance can serve a session", app, generator.SessionKeySetting)
}

func (c console) KeyUnknown(app string, why error, command string) {
	style := styleFor(c.env, c.env.Stderr)
	c.env.note("%s %s may not have the app setting %s; without it a session stays on one instance: %s",
		style.bold("warning:"), app, generator.SessionKeySetting, oneLine(why.Error()))
	c.env.note("%s once, if it does not have one: %s", style.cyan("hint:"), command)
}

// readyToPublish packs, builds and checks the project in dir.
func readyToPublish(ctx context.Context, env *Env, dir string) error {
	if err := packLocked(ctx, env, dir); err != nil {
		return err
	}
	build := goBuild{Dir: dir, GOOS: "linux", GOARCH: "amd64", Env: env.Environ, Output: env.Stderr}
	err := env.duringProgress("building the handler", func(p *progress) error {
		build.Doing = p.doing
		_, err := build.run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	p, err := openProject(env, dir) // as it stands now
	if err != nil {
		return err
	}
	findings := p.Deployment(ctx)
	complainOf(env, findings)
	if n := doctor.Failures(findings); n > 0 {
		return withHint(fmt.Errorf("not published: %s failed", count(n, "check")), `"mcpfunc doctor" lists all of them`)
	}
	return nil
}

// packLocked installs what is locked where it is not there, as in a fresh clone. What is there and
// does not fit the lock or the configuration is for a person to pack, and to look at.
func packLocked(ctx context.Context, env *Env, dir string) error {
	if !hasLock(dir) {
		return nil
	}
	if _, err := packmanifest.Load(dir); errors.Is(err, fs.ErrNotExist) {
		told := *env
		told.Stdout = env.Stderr // the report is not what publish is for
		if err := runPack(ctx, &told, &packOptions{Dir: dir}); err != nil {
			return err
		}
	}
	return packedIsCurrent(ctx, env, dir)
}

// hasLock reports whether the project in dir has been packed, here or elsewhere.
func hasLock(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, pack.LockFolder))
	return err == nil
}

// complainOf prints the findings that are not good, with their hints.
func complainOf(env *Env, findings []doctor.Finding) {
	style := styleFor(env, env.Stderr)
	for _, f := range findings {
		switch f.Status {
		case doctor.Fail:
			env.complain("%s %s: %s", style.red("fail:"), f.Name, oneLine(f.Detail))
		case doctor.Warn:
			env.note("%s %s: %s", style.bold("warning:"), f.Name, oneLine(f.Detail))
		default:
			continue
		}
		if f.Hint != "" {
			env.note("%s %s", style.cyan("hint:"), oneLine(f.Hint))
		}
	}
}
