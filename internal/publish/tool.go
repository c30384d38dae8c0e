package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A ToolError is a tool that ended with an exit code of its own, other than 0.
type ToolError struct {
	Tool string // func or az
	Code int
}

func (e *ToolError) Error() string { return fmt.Sprintf("%s ended with exit code %d", e.Tool, e.Code) }

// patience is how long a tool that was asked to end may take.
const patience = 10 * time.Second

// run runs the tool in the project as if it had been typed: with our input and outputs.
func (p *Publisher) run(ctx context.Context, name string, args []string) error {
	p.console.Running(CommandLine(name, args))
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Dir, cmd.Env = p.project.Dir, p.streams.Environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.streams.In, p.streams.Out, p.streams.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it may have something to undo
	cmd.WaitDelay = patience
	return toolError(name, cmd.Run())
}

// ask runs az, which reads in, and returns what it prints. Its complaints are shown.
func (p *Publisher) ask(ctx context.Context, what string, in io.Reader, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, p.az, args...)
	cmd.Env, cmd.WaitDelay = p.streams.Environ, patience
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, p.streams.Err
	if err := toolError("az", p.console.During(what, cmd.Run)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// lookUp returns the words that az prints; none if it is not on PATH or cannot tell. Its complaints are not shown.
func lookUp(ctx context.Context, streams Streams, args ...string) []string {
	az, err := process.Find(process.Spec{Command: "az", Env: streams.Environ})
	if err != nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, az, append(args, "--output", "tsv")...)
	cmd.Env, cmd.WaitDelay = streams.Environ, patience
	var out bytes.Buffer
	cmd.Stdout = &out
	if cmd.Run() != nil {
		return nil
	}
	return strings.Fields(out.String())
}

func toolError(name string, err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return &ToolError{name, exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// funcArgs are func's. The stack is said because local.settings.json, which func would ask, is not in
// a repository, and must be that of the app; nothing is built because the handler has been, and a
// Python project would be taken for one that func must install packages for.
func (p *Publisher) funcArgs() []string {
	return append([]string{"azure", "functionapp", "publish", p.project.App, "--" + string(p.project.Stack), "--no-build"}, p.slotArgs()...)
}

// zipArgs are az's. On Flex Consumption, too, config-zip is the command that uploads a package
// (azure-cli 2.60 and later choose the endpoint by the plan); "az functionapp deploy" is on its way out.
func (p *Publisher) zipArgs(group, zip string) []string {
	args := []string{"functionapp", "deployment", "source", "config-zip", "--resource-group", group, "--name", p.project.App, "--src", zip}
	return append(args, p.slotArgs()...)
}

// groupArgs ask az for the resource group of the app, whose name is unique among all apps.
func (p *Publisher) groupArgs() []string {
	return []string{"functionapp", "list", "--query", "[?name=='" + p.project.App + "'].resourceGroup", "--output", "tsv"}
}

// hasKeyArgs ask az whether the app has a session key: for the setting's name, never for its value.
func (p *Publisher) hasKeyArgs(group string) []string {
	args := []string{"functionapp", "config", "appsettings", "list", "--resource-group", group, "--name", p.project.App,
		"--query", "[?name=='" + generator.SessionKeySetting + "'].name", "--output", "tsv"}
	return append(args, p.slotArgs()...)
}

// setKeyArgs have az add the settings that it reads on its standard input (@-): no other user of the
// machine sees what is there, as they would see arguments. az prints no settings. A key of a slot stays with
// that slot: swapped into production it would end the sessions that are there.
func (p *Publisher) setKeyArgs(group string) []string {
	settings := "--settings"
	if p.project.Slot != "" {
		settings = "--slot-settings"
	}
	args := []string{"functionapp", "config", "appsettings", "set", "--resource-group", group, "--name", p.project.App,
		settings, "@-", "--output", "none"}
	return append(args, p.slotArgs()...)
}

// slotArgs choose the deployment slot; func and az call it the same.
func (p *Publisher) slotArgs() []string {
	if p.project.Slot == "" {
		return nil
	}
	return []string{"--slot", p.project.Slot}
}

// CommandLine is a command as a person would type it into a POSIX shell.
func CommandLine(name string, args []string) string {
	words := []string{name}
	for _, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$`|&;<>()*?[]{}#~!") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
