package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

type publishOptions struct {
	App    string
	Dir    string
	Group  string
	DryRun bool
}

func newPublishCommand(env *Env, run func(context.Context, *Env, *publishOptions) error) *cobra.Command {
	opts := &publishOptions{}
	cmd := &cobra.Command{
		Use:   "publish APP [DIR]",
		Short: "Build, check and publish a project to a function app",
		Long: `Compile the project in DIR (default: the current folder) for Azure, install what
is locked if it is not, check it all as doctor does, and publish it to the
function app APP, which is there already: by func (Azure Functions Core Tools)
or, where that is not on PATH, by az. Without either the commands to run
elsewhere are printed. Nothing is published when something of it would fail.

Where az is on PATH it also gives the app a session key, MCPFUNC_SESSION_KEY, by
which any instance can serve a session. A key that is there is never replaced.`,
		Example: `  mcpfunc publish my-app
  mcpfunc publish my-app myproject --dry-run
  mcpfunc publish my-app --resource-group my-group     for az, which otherwise looks for it`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.App, opts.Dir = args[0], dirArg(args[1:])
			if !appName.MatchString(opts.App) {
				return misusef("%q is no name of a function app: it has 2 to 60 letters, digits and hyphens, and no hyphen at either end", opts.App)
			}
			if opts.Group != "" && !groupName.MatchString(opts.Group) {
				return misusef("--resource-group %q is no name of a resource group", opts.Group)
			}
			return run(cmd.Context(), env, opts)
		},
	}
	cmd.Flags().StringVar(&opts.Group, "resource-group", "", "resource `group` of the app, for az")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only print what would be done, and the commands")
	return cmd
}

// The names that Azure takes (Microsoft.Web/sites and Microsoft.Resources/resourceGroups in "Naming
// rules and restrictions for Azure resources"). A first character that is no hyphen also keeps them
// from being taken for options.
var (
	appName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$`)
	groupName = regexp.MustCompile(`^[\p{L}\p{N}_(][\p{L}\p{N}_().-]{0,89}$`)
)

func runPublish(ctx context.Context, env *Env, opts *publishOptions) error {
	p, err := openProject(env, opts.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("%s is not a project: there is no %s", opts.Dir, configName), hintNoProject)
	}
	if err != nil {
		return err
	}
	pub := newPublisher(env, opts, p.Stack())
	if err := pub.can(); err != nil {
		return err
	}
	if opts.DryRun {
		return pub.plan()
	}
	if err := readyToPublish(ctx, env, opts.Dir); err != nil {
		return err
	}
	return pub.publish(ctx)
}

// readyToPublish packs, builds and checks the project in dir.
func readyToPublish(ctx context.Context, env *Env, dir string) error {
	if err := packLocked(ctx, env, dir); err != nil {
		return err
	}
	build := goBuild{Dir: dir, GOOS: "linux", GOARCH: "amd64", Env: env.Environ, Output: env.Stderr}
	err := env.during("building the handler", func() error {
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
		return withHint(fmt.Errorf("not published: %s failed", count(n, "check")), `"mcpfunc doctor" shows all of them`)
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

// A toolError is a program that ended with a code of its own, which becomes ours.
type toolError struct {
	tool string
	code int
}

func (e *toolError) Error() string { return fmt.Sprintf("%s ended with exit code %d", e.tool, e.code) }

// toolPatience is how long a program that was asked to end may take.
const toolPatience = 10 * time.Second

// stream runs a program in dir as if it had been typed: with our input and outputs.
func stream(ctx context.Context, env *Env, dir, name, path string, args ...string) error {
	env.note("%s", styleFor(env, env.Stderr).dim(commandLine(name, args)))
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = dir, env.Environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it may have something to undo
	cmd.WaitDelay = toolPatience
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return &toolError{name, exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// commandLine is a command as a person would type it into a POSIX shell.
func commandLine(name string, args []string) string {
	words := []string{name}
	for _, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$`|&;<>()*?[]{}#~!") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
