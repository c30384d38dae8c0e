// Package publish passes a built and checked project to the tool that publishes it: func (Azure
// Functions Core Tools) or az (the Azure CLI). With az the app also gets a session key.
package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/funczip"
	"github.com/mcpfunc/mcpfunc/internal/hint"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// The names that Azure takes (Microsoft.Web/sites and Microsoft.Resources/resourceGroups in "Naming
// rules and restrictions for Azure resources"). A first character that is no hyphen also keeps them
// from being taken for options.
var (
	appName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]$`)
	slotName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,58}$`)
	groupName = regexp.MustCompile(`^[\p{L}\p{N}_(][\p{L}\p{N}_().-]{0,89}$`)
)

// ValidApp reports whether a function app can have this name: 2 to 60 letters, digits and hyphens, and
// no hyphen at either end.
func ValidApp(name string) bool { return appName.MatchString(name) }

// Host returns the default hostname of a function app, for which az is asked: it cannot be told from the name, since that of
// an app with a unique one is NAME-HASH.REGION-01.azurewebsites.net, and NAME.azurewebsites.net may be somebody else's. The
// name must be valid.
func Host(ctx context.Context, streams Streams, app string) (string, error) {
	hosts := lookUp(ctx, streams, "functionapp", "list", "--query", "[?name=='"+app+"'].defaultHostName")
	if len(hosts) != 1 {
		return "", hint.With(fmt.Errorf("cannot find the hostname of the function app %q with az", app),
			"pass the app's URL, or install az, sign in with az login, and choose the app's subscription")
	}
	return hosts[0], nil
}

// ValidSlot reports whether a deployment slot can have this name.
func ValidSlot(name string) bool { return slotName.MatchString(name) }

// ValidGroup reports whether a resource group can have this name.
func ValidGroup(name string) bool { return groupName.MatchString(name) }

// ErrNoTool is what Publish returns where neither func nor az is on PATH.
var ErrNoTool = errors.New("not published: neither func nor az is on PATH")

// A Project is what is published, and where to.
type Project struct {
	Dir        string
	Executable string          // the handler: a slash-separated path in Dir
	Stack      generator.Stack // of the app
	Packed     bool            // servers are packed, or are to be: only the plan tells of it
	App        string          // must be a ValidApp
	Slot       string          // deployment slot; empty means production
	Group      string          // resource group of the app; empty means that az is asked for it
}

// Streams are what the tools are given: they run as if they had been typed.
type Streams struct {
	Environ []string // key=value
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
}

// A Console shows what a Publisher does. Its methods are called by the goroutine that calls Publish.
type Console interface {
	// Running is told the command that is about to run, as a person would type it.
	Running(command string)
	// During calls do, which may take a while, and returns its error.
	During(what string, do func() error) error
	// KeySet says that the app was given a session key.
	KeySet(app string)
	// KeyUnknown says why the app may have no session key, and the command that gives it one.
	KeyUnknown(app string, why error, command string)
}

// A Publisher publishes one project. It is for one goroutine.
type Publisher struct {
	project Project
	streams Streams
	console Console
	tool    string // func or az; empty where neither is on PATH
	path    string // of the tool
	az      string // path of az, which alone knows app settings; empty where it is not on PATH
}

// New chooses the tool: func, which also says where the servers then are, or az. It is an error if the
// tool cannot publish this project.
func New(project Project, streams Streams, console Console) (*Publisher, error) {
	p := &Publisher{project: project, streams: streams, console: console}
	for _, tool := range []string{"func", "az"} {
		path, err := process.Find(process.Spec{Command: tool, Env: streams.Environ})
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
	return p, p.can()
}

// can says why the tool cannot publish this project: to an app on Flex Consumption whose stack is
// Python az always asks for a build over there (enable_zip_deploy_flex in azure-cli 2.88), which fails
// for a project that is not Python's own.
func (p *Publisher) can() error {
	if p.tool != "az" || p.project.Stack != generator.StackPython {
		return nil
	}
	return hint.With(errors.New("az builds an app of the `python` stack again on Azure, which fails for this project, and func is not on PATH"),
		"npm install -g azure-functions-core-tools@4")
}

// Publish gives the app a key first: a changed setting starts the app again, and so does what is
// published. The one needs az, the other may do without. A tool that fails is a ToolError, and no tool
// ErrNoTool; Elsewhere then says what to run.
func (p *Publisher) Publish(ctx context.Context) error {
	switch p.tool {
	case "func":
		if err := p.giveKey(ctx); err != nil && ctx.Err() == nil {
			p.console.KeyUnknown(p.target(), err, p.keyLine())
		}
		return p.run(ctx, "func", p.funcArgs())
	case "az":
		if err := p.giveKey(ctx); err != nil {
			return err
		}
		return p.zip(ctx)
	}
	return ErrNoTool
}

// zip publishes by az.
func (p *Publisher) zip(ctx context.Context) error {
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
	if err := p.writeZip(file); err != nil {
		return err
	}
	return p.run(ctx, "az", p.zipArgs(group, file))
}

// writeZip writes the package of the project.
func (p *Publisher) writeZip(file string) (err error) {
	root, err := os.OpenRoot(p.project.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := funczip.Write(out, root, p.project.Executable); err != nil {
		return hint.With(fmt.Errorf("zip the project: %w", err), "list files that must not be published in .funcignore")
	}
	return nil
}

// group returns the app's resource group, for which az is asked once.
func (p *Publisher) group(ctx context.Context) (string, error) {
	if p.project.Group != "" {
		return p.project.Group, nil
	}
	out, err := p.ask(ctx, "looking for the app", nil, p.groupArgs())
	if err != nil {
		return "", err
	}
	groups := strings.Fields(out)
	if len(groups) != 1 || !ValidGroup(groups[0]) {
		return "", hint.With(fmt.Errorf("az finds no function app %q in its subscription", p.project.App),
			"az account set --subscription NAME chooses another one; --resource-group names the group")
	}
	p.project.Group = groups[0]
	return p.project.Group, nil
}

// target names the app, and its slot where there is one.
func (p *Publisher) target() string {
	if p.project.Slot == "" {
		return p.project.App
	}
	return p.project.App + " (slot " + p.project.Slot + ")"
}

// groupOr is the app's resource group where it was told, or else unknown.
func (p *Publisher) groupOr(unknown string) string { return cmp.Or(p.project.Group, unknown) }
