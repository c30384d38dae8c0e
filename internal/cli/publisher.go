package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
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
	az    string          // path of az, which alone knows app settings; empty where it is not on PATH
}

// newPublisher chooses the tool: func, which also says where the servers then are, or az.
func newPublisher(env *Env, opts *publishOptions, stack generator.Stack) *publisher {
	p := &publisher{env: env, opts: opts, stack: stack}
	for _, tool := range []string{"func", "az"} {
		path, err := process.Find(process.Spec{Command: tool, Env: env.Environ})
		if err != nil {
			continue
		}
		if p.tool == "" {
			p.tool, p.path = tool, path
		}
		if tool == "az" {
			p.az = path
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
	if p.az != "" {
		lines = append(lines, p.keyPlan()...)
	}
	switch p.tool {
	case "func":
		lines = append(lines, p.inDir(commandLine("func", p.funcArgs())))
		if p.az == "" {
			lines = append(append(lines, "elsewhere, as az is not on PATH:"), p.keyPlan()...)
		}
	case "az":
		lines = append(lines, "zip the project as func would: app.zip", commandLine("az", p.zipArgs(p.groupOr("GROUP"), "app.zip")))
	default:
		lines = append(lines, p.elsewhere()...)
	}
	_, err := fmt.Fprintln(p.env.Stdout, strings.Join(lines, "\n"))
	return err
}

// elsewhere is what to run on a machine that has, or is to have, func and az.
func (p *publisher) elsewhere() []string {
	return append(p.keyPlan(),
		"npm install -g azure-functions-core-tools@4",
		p.inDir(commandLine("func", p.funcArgs())),
	)
}

// groupOr is the app's resource group where it was told, or else unknown.
func (p *publisher) groupOr(unknown string) string { return cmp.Or(p.opts.Group, unknown) }

func (p *publisher) inDir(line string) string {
	if p.opts.Dir == "." {
		return line
	}
	return commandLine("cd", []string{p.opts.Dir}) + " && " + line
}

// publish gives the app a key first: a changed setting starts the app again, and so does what is
// published. The one needs az, the other may do without.
func (p *publisher) publish(ctx context.Context) error {
	switch p.tool {
	case "func":
		if err := p.giveKey(ctx); err != nil && ctx.Err() == nil {
			p.remindOfKey(err)
		}
		return stream(ctx, p.env, p.opts.Dir, "func", p.path, p.funcArgs()...)
	case "az":
		if err := p.giveKey(ctx); err != nil {
			return err
		}
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
func (p *publisher) zip(ctx context.Context) error {
	group, err := p.group(ctx)
	if err != nil {
		return err
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

// group returns the app's resource group, for which az is asked once.
func (p *publisher) group(ctx context.Context) (string, error) {
	if p.opts.Group != "" {
		return p.opts.Group, nil
	}
	out, err := p.askAz(ctx, "looking for the app", nil, p.groupArgs())
	if err != nil {
		return "", err
	}
	groups := strings.Fields(out)
	if len(groups) != 1 || !groupName.MatchString(groups[0]) {
		return "", withHint(fmt.Errorf("az finds no function app %q in its subscription", p.opts.App),
			"az account set --subscription NAME chooses another one; --resource-group names the group")
	}
	p.opts.Group = groups[0]
	return p.opts.Group, nil
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
