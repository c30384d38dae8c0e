package doctor

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/pack"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

var (
	// fetchers bring packages when they start. No stack has them: python has pip alone, node npm and npx.
	fetchers = words("uvx uv pipx poetry pdm pnpm yarn dnx")

	// foreign programs need a runtime that neither stack has, or are of another system.
	foreign = words("bunx bun deno java dotnet ruby php cmd powershell pwsh")

	// engines start containers, which no plan of Azure Functions can within an app.
	engines = words("docker podman")
)

// stackNames are what the stacks are called in sentences.
var stackNames = map[generator.Stack]string{generator.StackPython: "Python", generator.StackNode: "Node"}

var infraStack = regexp.MustCompile(`\bruntime:\s*\{\s*name:\s*'(custom|python|node)'(?:,?\s*version:\s*'([0-9.]+)')?`)

// Stack is what the app on Azure brings to run programs with: what infra/ says, else what an app for
// this project is best made with.
func (p *Project) Stack() generator.Stack {
	for _, text := range p.infra() {
		if m := infraStack.FindStringSubmatch(text); m != nil {
			return generator.Stack(m[1])
		}
	}
	if stacks := generator.Stacks(p.File); p.made.Hosting == generator.HostingFlex && len(stacks) > 0 {
		return stacks[0]
	}
	return generator.StackCustom
}

// wrongPython returns the Python that was packed for and the one of the app that infra/ makes, where
// they are not the same.
func (p *Project) wrongPython() (packedFor, have string) {
	file, err := packmanifest.Load(p.Dir)
	if err != nil {
		return "", ""
	}
	for _, text := range p.infra() {
		m := infraStack.FindStringSubmatch(text)
		if m != nil && generator.Stack(m[1]) == generator.StackPython && m[2] != "" && m[2] != file.Python {
			return file.Python, m[2]
		}
	}
	return "", ""
}

// stack holds what servers are started with against what the app has. An image of one's own may have
// anything, and is not looked into.
func (p *Project) stack() []Finding {
	const name = "hosting"
	// Flex Consumption runs no containers: a Dockerfile is then for something else.
	image, have := p.has("Dockerfile") && p.made.Hosting != generator.HostingFlex, p.Stack()
	packedFor, python := p.wrongPython()
	var all []Finding
	for _, s := range p.File.Enabled() {
		say := func(status Status, hint, text string, args ...any) {
			e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "command", Err: fmt.Errorf(text, args...)}
			all = append(all, Finding{Name: name, Status: status, Detail: e.Error(), Hint: hint})
		}
		const bring = "put it into the project, name it by a relative path and run mcpfunc pack; or build an image: mcpfunc generate --docker"
		what, needs := pack.ProgramName(s.Command), generator.StackFor(s)
		cannot := len(dotnetAdvice(p.File, s)) > 0
		if nuget.Runs(what) {
			what = "dnx"
		}
		start, inProject := p.packed(s)
		if inProject {
			what, needs = start.Interpreter, generator.Stack(start.Interpreter)
		}
		switch {
		case inProject && (start.Interpreter == "" || start.Program != ""): // nothing of the stack is needed
		case inProject && start.Interpreter == packmanifest.Python && python != "":
			say(Fail, "mcpfunc pack --python "+python, "is packed for Python %s, but infra/ makes an app with Python %s", packedFor, python)
		case slices.Contains(engines, what):
			say(Fail, "name the program in the image, or host it elsewhere", "is %s, but an app on Azure Functions cannot start containers", what)
		case cannot && !inProject: // dotnetAdvice tells of it
		case image:
		case slices.Contains(foreign, what):
			say(Warn, bring, "is %s, which Azure Functions does not include", what)
		case needs != generator.StackCustom && have == generator.StackCustom && p.made.Hosting == generator.HostingFlex:
			say(Warn, "move infra/ and azure.yaml away, then run mcpfunc generate --azd",
				"is %s and needs %s, which the `custom` stack of infra/ does not include", what, stackNames[needs])
		case needs != generator.StackCustom && have == generator.StackCustom:
			say(Warn, "run mcpfunc generate --hosting flex for an app whose stack includes it, or with --docker for an image", "is %s and needs %s, which the `custom` stack does not include", what, stackNames[needs])
		case needs != generator.StackCustom && have != needs:
			hint := "give it a separate app, or build an image: mcpfunc generate --hosting custom --docker"
			if needs == generator.StackNode {
				hint = "run mcpfunc pack --with-node to include Node"
			}
			say(Warn, hint, "is %s and needs %s, which the `%s` stack does not include", what, stackNames[needs], have)
		case slices.Contains(fetchers, what):
			say(Warn, "run mcpfunc pack to include what it would download", "is %s, which the `%s` stack does not include", what, have)
		case needs != generator.StackCustom:
		case filepath.IsAbs(s.Command):
			say(Warn, bring, "is a path of this machine, which probably does not exist on Azure")
		case strings.ContainsAny(s.Command, `/\`):
			say(Fail, "run mcpfunc pack: the app then copies it to a folder where it can run", "is a file of the project, which is published without its executable bit")
		default:
			say(Warn, bring, "is %s, which Azure Functions does not include", what)
		}
	}
	good := okay(name, "the `%s` stack includes what the servers need", have)
	if image {
		good = okay(name, "an image of your own")
	}
	return unless(all, good)
}

// complete reports whether a server starts here from what is packed alone.
func (p *Project) complete(s config.Server) bool {
	file, err := packmanifest.Load(p.Dir)
	return err == nil && file.Complete(s.Name, p.written(s.Name))
}

// written is the command line of a server as the configuration has it.
func (p *Project) written(name string) packmanifest.Command {
	for _, s := range p.File.Enabled() {
		if s.Name == name {
			return packmanifest.Command{Command: s.Command, Args: s.Args}
		}
	}
	return packmanifest.Command{}
}

// packed returns how a server starts from packed files, if it was packed from its current entry.
func (p *Project) packed(s config.Server) (packmanifest.Start, bool) {
	file, err := packmanifest.Load(p.Dir)
	if err != nil {
		return packmanifest.Start{}, false
	}
	server, ok := file.Servers[s.Name]
	return server.Start, ok && server.From.Equal(packmanifest.Command{Command: s.Command, Args: s.Args})
}

// Flex reports whether the project is for Flex Consumption: by its profile or by its infra/.
func (p *Project) Flex() bool {
	if p.made.Hosting == generator.HostingFlex {
		return true
	}
	for _, text := range p.infra() {
		if flexPlan.MatchString(text) {
			return true
		}
	}
	return false
}
