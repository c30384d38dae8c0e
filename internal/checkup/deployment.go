package checkup

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/packed"
)

// Deployment finds out whether the project would work on Azure as it stands.
func (p *Project) Deployment(ctx context.Context) []Finding {
	all := p.configuration()
	if p.plain {
		return append(all, Finding{Name: "project", Status: Missing, Detail: "there is a configuration alone", Hint: "mcpfunc init makes a project"})
	}
	all = append(all, p.generated()...)
	all = append(all, p.host()...)
	all = append(all, p.stack()...)
	all = append(all, p.access()...)
	all = append(all, p.settingsFile(ctx)...)
	return append(all, p.size()...)
}

// configuration tells of the warnings in the file and of what Advise adds to them.
func (p *Project) configuration() []Finding {
	all := []Finding{okay(filepath.Base(p.File.Path), "servers: %d, switched on: %d", len(p.File.Servers), len(p.File.Enabled()))}
	for _, w := range p.File.Warnings {
		all = append(all, warning(filepath.Base(p.File.Path), w.Hint, "%s", w))
	}
	advice := Advise(p.File)
	for _, rule := range []struct {
		rule Rule
		good string
	}{
		{RulePackages, "everything that is fetched is pinned"},
		{RuleSecrets, "none is written out in the configuration"},
		{RuleSessions, ""},
		{RuleAccess, ""},
		{RuleLimits, "streams give a sign of life in time"},
	} {
		var found []Finding
		for _, a := range advice {
			if a.Rule == rule.rule {
				found = append(found, warning(string(a.Rule), a.Hint, "%s", a.Warning))
			}
		}
		if rule.good != "" {
			found = unless(found, okay(string(rule.rule), "%s", rule.good))
		}
		all = append(all, found...)
	}
	return all
}

// streamLimit is how long the runtime keeps a stream open (runtime.Options.StreamLimit): it must end
// before functionTimeout does it, which kills the handler with all sessions.
const streamLimit = 25 * time.Minute

// host reads the project as the Functions host does.
func (p *Project) host() []Finding {
	const name, hint = "host.json", "mcpfunc generate"
	app, err := hostemu.Load(p.Dir, nil) // what this machine's environment overrides is not so on Azure
	if err != nil {
		return []Finding{failed(name, hint, err)}
	}
	var all []Finding
	if app.RoutePrefix != "" {
		all = append(all, failure(name, hint, `extensions.http.routePrefix is %q and must be "": the servers would be at /%s/api/mcp, and /.well-known is not ours`, app.RoutePrefix, app.RoutePrefix))
	}
	if !app.Streams() {
		all = append(all, failure(name, hint, "customHandler.enableProxyingHttpRequest is not true, so that the host holds every answer back until it is whole, and streams never arrive"))
	}
	switch t := app.FunctionTimeout; {
	case !p.writes("functionTimeout"):
		all = append(all, warning(name, hint, "functionTimeout is not set: where the plan's default is 5 minutes, the host kills the handler with all sessions then"))
	case t >= 0 && t <= streamLimit:
		all = append(all, warning(name, `set it to "00:30:00"; the Consumption plan allows no more than ten minutes, other plans do`,
			"functionTimeout is %s and streams last up to %s: the host then kills the handler with all sessions", t, streamLimit))
	}
	for _, s := range p.File.Enabled() {
		if t := app.FunctionTimeout; t >= 0 && s.RequestTimeout >= t {
			e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "request_timeout_seconds",
				Err: fmt.Errorf("lets a call last %s, and at functionTimeout, %s, the host kills the handler with all sessions", s.RequestTimeout, t)}
			all = append(all, warning("limits", "let calls end before functionTimeout", "%v", e))
		}
	}
	if up := p.File.Runtime.MaxRequestBytes; up > app.MaxBody() {
		all = append(all, warning("limits", "lower it, or set the app setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
			`%s: "runtime.max_message_bytes" lets a request be %d MiB, and the host refuses one over %d MiB`, p.File.Path, up>>20, app.MaxBody()>>20))
	}
	return append(unless(all, okay(name, "requests stream, under the site's root")), p.handler(app.Executable()))
}

// writes reports whether host.json has a top-level key.
func (p *Project) writes(key string) bool {
	data, err := readFile(p.path("host.json"))
	if err != nil {
		return false
	}
	var host map[string]json.RawMessage
	return json.Unmarshal(data, &host) == nil && host[key] != nil
}

// An interpreter is what a stack may bring and a server may need.
type interpreter string

const (
	python    interpreter = "Python"
	node      interpreter = "Node.js"
	container interpreter = "a container engine"
	other     interpreter = "a runtime of its own"
)

// interpreters are what the programs that start servers need. What is not here runs by itself.
var interpreters = map[string]interpreter{
	"uvx": python, "uv": python, "python": python, "python3": python, "pipx": python, "pip": python, "poetry": python, "pdm": python,
	"npx": node, "npm": node, "node": node, "pnpm": node, "yarn": node, "tsx": node, "ts-node": node,
	"bunx": other, "bun": other, "deno": other, "java": other, "dotnet": other, "ruby": other, "php": other, "cmd": other, "powershell": other,
	"docker": container, "podman": container,
}

// fetchers bring packages at start: on Azure without their caches, and with a stack that has the
// interpreter alone, not there at all.
var fetchers = words("uvx uv pipx bunx bun deno poetry pdm")

// stack holds what servers are started with against what Azure has. A container of one's own may
// have anything.
func (p *Project) stack() []Finding {
	const name = "hosting"
	image := p.has("Dockerfile")
	var all []Finding
	for _, s := range p.File.Enabled() {
		what := program(s.Command)
		say := func(status Status, hint, text string, args ...any) {
			e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "command", Err: fmt.Errorf(text, args...)}
			all = append(all, Finding{Name: name, Status: status, Detail: e.Error(), Hint: hint})
		}
		needs, interpreted := interpreters[what]
		switch {
		case p.packed(s):
		case needs == container:
			say(Fail, "run what is in the image by itself: name its program here, or serve it elsewhere", "is %s, and no plan of Azure Functions has %s", what, needs)
		case image:
		case filepath.IsAbs(s.Command):
			say(Warn, "put it into the project, name it by a relative path and run mcpfunc pack, or make an image: mcpfunc init --docker",
				"is a path of this machine, and not one of Azure's")
		case strings.ContainsAny(s.Command, `/\`):
			say(Fail, "mcpfunc pack, which has the app copy it to where it can run",
				"is a file of the project, and is published without its executable bit")
		case !interpreted:
			say(Warn, "put it into the project, name it by a relative path and run mcpfunc pack, or make an image: mcpfunc init --docker",
				"is %s, which Azure Functions has not", what)
		case p.made.Hosting == generator.HostingCustom:
			say(Warn, "mcpfunc pack and an app whose stack is Python or Node.js (mcpfunc init --hosting flex), or an image (--docker)",
				"is %s and needs %s, which the stack custom has not", what, needs)
		case slices.Contains(fetchers, what):
			say(Warn, "mcpfunc pack, which puts what it fetches into the project", "is %s, which no stack of Flex Consumption has", what)
		}
	}
	return unless(all, okay(name, "%s, and every server has what it is started with", p.hosting()))
}

// hosting names the hosting.
func (p *Project) hosting() string {
	switch {
	case p.has("Dockerfile"):
		return "a container"
	case p.made.Hosting == generator.HostingCustom:
		return "the stack custom"
	}
	return "Flex Consumption with a profile"
}

// packed reports whether a server is started from what lies in the project, with an interpreter that
// the stack has or that comes along.
func (p *Project) packed(s config.Server) bool {
	file, err := packed.Load(p.Dir)
	if err != nil {
		return false
	}
	server, ok := file.Servers[s.Name]
	interpreted := server.Start.Interpreter != "" && server.Start.Program == ""
	return ok && server.From.Equal(packed.Command{Command: s.Command, Args: s.Args}) &&
		(!interpreted || p.has("Dockerfile") || p.made.Hosting != generator.HostingCustom)
}

// access finds servers that the app lends its own identity to everybody by, or that everybody may
// use: it refuses to start on Azure with those.
func (p *Project) access() []Finding {
	const hint = `run mcpfunc generate with another auth level: remove "defaultAuthorizationLevel" from host.json first`
	if p.made.AuthLevel != generator.LevelAnonymous {
		return nil
	}
	var all []Finding
	for _, s := range p.File.Enabled() {
		e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "auth"}
		switch {
		case s.Auth.Method == config.AuthAzureDefault:
			e.Err = fmt.Errorf("lends the app's own identity to whoever calls: the auth level is anonymous, and the method asks for no token")
		case s.Auth.Method == config.AuthNone && !s.Auth.AllowPublic:
			e.Err = fmt.Errorf("lets anybody in: the auth level is anonymous, and the method asks for no token")
		default:
			continue
		}
		all = append(all, failure("access", hint, "%v", e))
	}
	return all
}

// Stack is what the app on Azure brings to run programs with, by the name that Azure Functions has for
// it: custom, python or node.
func (p *Project) Stack() string { return "custom" }
