// Package cli is the command line of mcpfunc: it parses, asks, calls and prints. What a command
// does is done by the packages below it.
//
// The rules of the terminal:
//
//   - Results go to standard output, everything else (progress, prompts, warnings, errors) to
//     standard error, so that a pipe carries results and nothing else.
//   - Questions are asked only when standard input and standard error are both a terminal. Every
//     question has a flag, and --yes gives the answer that is offered first.
//   - An error is one sentence, outer to inner: "mcpfunc: init: mcp_config.json:12: ...". It is
//     printed once, by run. When the hint is known it follows on a line "hint: ...".
//   - No command calls os.Exit or prints an error. The exit code is chosen in one place, exitCode:
//     0 done, 1 failed, 2 misused, 130 interrupted. A command whose normal end is Ctrl-C (dev, and
//     demo once it is up) has then done what it was asked for: 0.
//   - What takes longer than a second says so, with the time that has passed. --quiet leaves results
//     and errors, --verbose adds what is run.
//   - Nothing that a server, a package or a file says steers the terminal: standard output and standard
//     error escape it, whether they are a terminal or not. As it is it comes only by call --raw, which a
//     terminal refuses; --json has it as JSON escapes it.
//   - Colour marks a word, never carries meaning, and appears only on a terminal and without
//     NO_COLOR (https://no-color.org).
package cli

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc"
)

// Env is what a run sees of the world outside its arguments. System returns the real one. Relative
// paths are those of the process.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	Environ    []string // key=value
	Home       string   // the user's home; empty means that there is no home to search
	ConfigDir  string   // where programs keep a user's settings (os.UserConfigDir); empty means none
	Executable string   // the file of this program, which demo names as its server's command

	Prompter Prompter // nil means that nobody can be asked
	Runtime  fs.FS    // the sources that a scaffold carries

	quiet   bool // --quiet: results and errors only
	verbose bool // --verbose: what is run, too
}

// System returns the environment of this process.
func System() *Env {
	env := &Env{
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Environ: os.Environ(),
		Runtime: mcpfunc.Source(),
	}
	// Without a home, a settings folder or a path of our own the commands that want one say so.
	env.Home, _ = os.UserHomeDir()
	env.ConfigDir, _ = os.UserConfigDir()
	env.Executable, _ = os.Executable()
	if isTerminal(os.Stdin) && isTerminal(os.Stderr) {
		env.Prompter = &surveyPrompter{in: os.Stdin, out: os.Stderr}
	}
	return env
}

// lookup is os.LookupEnv for e.Environ; as there, the last entry of a name counts.
func (e *Env) lookup(name string) (string, bool) {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(e.Environ[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

// Main runs the command line args (without the program's name) and returns the exit code. The
// first interrupt asks the command to end; a second one ends the process at once.
func Main(args []string, env *Env) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if env.Prompter != nil {
		asking := *env
		asking.Prompter = &interruptible{env.Prompter, ctx}
		env = &asking
	}
	return run(ctx, args, env)
}

// run is Main without the signals.
func run(ctx context.Context, args []string, env *Env) int {
	ours := *env
	env = &ours
	env.Stdout, env.Stderr = newScreen(env, env.Stdout), newScreen(env, env.Stderr)
	root := newRootCommand(env)
	// Cobra hands back errors of parsing and of running alike; what failed before a command
	// began was misuse.
	began := false
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if env.quiet && env.verbose {
			return misusef("--quiet and --verbose contradict each other")
		}
		began = true
		return nil
	}
	root.SetArgs(args)

	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		err = &misuse{err}
	}
	code := exitCode(ctx, err)
	if err != nil && code != exitInterrupted {
		printError(env, cmd, err)
	}
	return code
}
