package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/funczip"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A publisher hands a project that is built and checked to the tool that publishes it.
type publisher struct {
	env   *Env
	opts  *publishOptions
	stack generator.Stack // of the app
	tool  string          // func or az; empty where neither is on PATH
	path  string          // of the tool
}

// newPublisher chooses the tool: func, which also says where the servers then are, or az.
func newPublisher(env *Env, opts *publishOptions, stack generator.Stack) *publisher {
	p := &publisher{env: env, opts: opts, stack: stack}
	for _, tool := range []string{"func", "az"} {
		if path, err := process.Find(process.Spec{Command: tool, Env: env.Environ}); err == nil {
			p.tool, p.path = tool, path
			break
		}
	}
	return p
}

// funcArgs are func's. The stack is said because local.settings.json, which func would ask, is not in
// a repository, and must be that of the app; nothing is built because the handler has been, and a
// Python project would be taken for one that func must install packages for.
func (p *publisher) funcArgs() []string {
	return []string{"azure", "functionapp", "publish", p.opts.App, "--" + string(p.stack), "--no-build"}
}

// zipArgs are az's. On Flex Consumption, too, config-zip is the command that uploads a package
// (azure-cli 2.60 and later choose the endpoint by the plan); "az functionapp deploy" is on its way out.
func (p *publisher) zipArgs(group, zip string) []string {
	return []string{"functionapp", "deployment", "source", "config-zip", "--resource-group", group, "--name", p.opts.App, "--src", zip}
}

// groupArgs ask az for the resource group of the app, whose name is unique among all apps.
func (p *publisher) groupArgs() []string {
	return []string{"functionapp", "list", "--query", "[?name=='" + p.opts.App + "'].resourceGroup", "--output", "tsv"}
}

// plan prints what publish does.
func (p *publisher) plan() error {
	lines := []string{"build the handler for linux/amd64", "check what would fail on Azure"}
	if hasLock(p.opts.Dir) {
		lines = append([]string{"pack what is locked, unless it is packed"}, lines...)
	}
	switch p.tool {
	case "func":
		lines = append(lines, p.inDir(commandLine("func", p.funcArgs())))
	case "az":
		group := p.opts.Group
		if group == "" {
			group = "GROUP"
			lines = append(lines, commandLine("az", p.groupArgs())+"     tells GROUP")
		}
		lines = append(lines, "zip the project as func would: app.zip", commandLine("az", p.zipArgs(group, "app.zip")))
	default:
		lines = append(lines, p.elsewhere()...)
	}
	_, err := fmt.Fprintln(p.env.Stdout, strings.Join(lines, "\n"))
	return err
}

// elsewhere is what to run on a machine that has, or is to have, func.
func (p *publisher) elsewhere() []string {
	return []string{
		"npm install -g azure-functions-core-tools@4",
		p.inDir(commandLine("func", p.funcArgs())),
	}
}

func (p *publisher) inDir(line string) string {
	if p.opts.Dir == "." {
		return line
	}
	return commandLine("cd", []string{p.opts.Dir}) + " && " + line
}

func (p *publisher) publish(ctx context.Context) error {
	switch p.tool {
	case "func":
		return stream(ctx, p.env, p.opts.Dir, "func", p.path, p.funcArgs()...)
	case "az":
		return p.zip(ctx)
	}
	for _, line := range p.elsewhere() {
		if _, err := fmt.Fprintln(p.env.Stdout, line); err != nil {
			return err
		}
	}
	return withHint(errors.New("not published: neither func nor az is on PATH"), "the project is built and checked: run the lines above")
}

// can says why the tool cannot publish this project: to an app on Flex Consumption whose stack is
// Python az always asks for a build over there (enable_zip_deploy_flex in azure-cli 2.88), which fails
// for a project that is not Python's own.
func (p *publisher) can() error {
	if p.tool != "az" || p.stack != generator.StackPython {
		return nil
	}
	return withHint(errors.New("az has an app of the stack python built once more on Azure, which fails for this project, and func is not on PATH"),
		"npm install -g azure-functions-core-tools@4")
}

// zip publishes by az.
func (p *publisher) zip(ctx context.Context) (err error) {
	group := p.opts.Group
	if group == "" {
		if group, err = p.findGroup(ctx); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp("", "mcpfunc-publish-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "app.zip")
	if err := writeZip(file, p.opts.Dir); err != nil {
		return err
	}
	return stream(ctx, p.env, p.opts.Dir, "az", p.path, p.zipArgs(group, file)...)
}

// findGroup asks az.
func (p *publisher) findGroup(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, p.path, p.groupArgs()...)
	cmd.Env, cmd.WaitDelay = p.env.Environ, toolPatience
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, p.env.Stderr
	err := p.env.during("looking for the app", cmd.Run)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return "", &toolError{"az", exit.ExitCode()}
	}
	if err != nil {
		return "", fmt.Errorf("az: %w", err)
	}
	groups := strings.Fields(out.String())
	if len(groups) != 1 || !groupName.MatchString(groups[0]) {
		return "", withHint(fmt.Errorf("az finds no function app %q in its subscription", p.opts.App),
			"az account set --subscription NAME chooses another one; --resource-group names the group")
	}
	return groups[0], nil
}

// writeZip writes the package of the project in dir.
func writeZip(file, dir string) (err error) {
	executable, err := handlerPath(dir)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := funczip.Write(out, root, executable); err != nil {
		return withHint(fmt.Errorf("zip the project: %w", err), "what is not to be published goes into .funcignore")
	}
	return nil
}
