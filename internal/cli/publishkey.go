package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
)

// hasKeyArgs ask az whether the app has a session key: for the setting's name, never for its value.
func (p *publisher) hasKeyArgs(group string) []string {
	return []string{"functionapp", "config", "appsettings", "list", "--resource-group", group, "--name", p.opts.App,
		"--query", "[?name=='" + generator.SessionKeySetting + "'].name", "--output", "tsv"}
}

// setKeyArgs have az add the settings that it reads on its standard input (@-): no other user of the
// machine sees what is there, as they would see arguments. az prints no settings.
func (p *publisher) setKeyArgs(group string) []string {
	return []string{"functionapp", "config", "appsettings", "set", "--resource-group", group, "--name", p.opts.App,
		"--settings", "@-", "--output", "none"}
}

// giveKey sees to it that the app has a session key: a new one, of the app alone, where it has none.
// What is there is left alone, as to replace it would end all sessions.
func (p *publisher) giveKey(ctx context.Context) error {
	if p.az == "" {
		return errors.New("az is not on PATH")
	}
	group, err := p.group(ctx)
	if err != nil {
		return err
	}
	names, err := p.askAz(ctx, "looking for the app's session key", nil, p.hasKeyArgs(group))
	if err != nil || strings.TrimSpace(names) != "" {
		return err
	}
	setting, err := json.Marshal(newKeySetting())
	if err != nil {
		return err
	}
	if _, err := p.askAz(ctx, "giving the app a session key", bytes.NewReader(setting), p.setKeyArgs(group)); err != nil {
		return err
	}
	p.env.note("%s has the new app setting %s: any instance can serve a session", p.opts.App, generator.SessionKeySetting)
	return nil
}

// askAz runs az, which reads in, and returns what it prints. Its complaints are shown.
func (p *publisher) askAz(ctx context.Context, what string, in io.Reader, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, p.az, args...)
	cmd.Env, cmd.WaitDelay = p.env.Environ, toolPatience
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, p.env.Stderr
	err := p.env.during(what, cmd.Run)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return "", &toolError{"az", exit.ExitCode()}
	}
	if err != nil {
		return "", fmt.Errorf("az: %w", err)
	}
	return out.String(), nil
}

// keyPlan is what publish does about the session key, as lines of a plan.
func (p *publisher) keyPlan() []string {
	var lines []string
	if p.opts.Group == "" {
		lines = append(lines, commandLine("az", p.groupArgs())+"     tells GROUP")
	}
	return append(lines,
		commandLine("az", p.hasKeyArgs(p.groupOr("GROUP")))+"     tells whether the app has a session key; if not:",
		p.keyLine())
}

// keyLine is a command that gives the app a new key.
func (p *publisher) keyLine() string {
	return "mcpfunc key --json | " + commandLine("az", p.setKeyArgs(p.groupOr("GROUP")))
}

// remindOfKey says why the app may have no key, and what gives it one.
func (p *publisher) remindOfKey(why error) {
	style := styleFor(p.env, p.env.Stderr)
	p.env.note("%s %s may be without the app setting %s, so that a session lives on one instance alone: %s",
		style.bold("warning:"), p.opts.App, generator.SessionKeySetting, oneLine(why.Error()))
	p.env.note("%s once, if it has none: %s", style.cyan("hint:"), p.keyLine())
}
