package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/publish"
	"github.com/mcpfunc/mcpfunc/internal/terminal"
)

// The exit codes of the command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitMisused     = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

// errInterrupted is what a prompt returns when its user pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// A misuse is an error in what was typed: the command did not begin.
type misuse struct{ err error }

func (m *misuse) Error() string { return m.err.Error() }
func (m *misuse) Unwrap() error { return m.err }

func isMisuse(err error) bool {
	var m *misuse
	return errors.As(err, &m)
}

func misusef(format string, args ...any) error {
	return &misuse{fmt.Errorf(format, args...)}
}

// exitCode chooses the exit code. An error that came up while an interrupt was ending the command
// is a consequence of the interrupt.
func exitCode(ctx context.Context, err error) int {
	tool := (*publish.ToolError)(nil)
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil, errors.Is(err, errInterrupted):
		return exitInterrupted
	case isMisuse(err):
		return exitMisused
	case errors.As(err, &tool):
		return tool.Code
	default:
		return exitFailed
	}
}

// printError prints err as one line, and its hint as a second.
func printError(env *Env, cmd *cobra.Command, err error) {
	prefix := "mcpfunc: "
	if cmd.HasParent() {
		prefix += strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ") + ": "
	}
	style := styleFor(env, env.Stderr)
	env.complain("%s%s", style.red(prefix), oneLine(err.Error()))
	hint := hintOf(err)
	if hint == "" && isMisuse(err) {
		hint = fmt.Sprintf("see %q", cmd.CommandPath()+" --help")
	}
	if hint != "" {
		env.complain("%s%s", style.cyan("hint: "), oneLine(hint))
	}
}

// oneLine joins the lines of what servers, other programs and libraries say, which may be several, and escapes what
// a line does not hold.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return terminal.Line(strings.Join(lines, "; "))
}
