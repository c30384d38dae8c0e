package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/pack"
)

// Deployment finds out whether the project would work on Azure as it stands.
func (p *Project) Deployment(ctx context.Context) []Finding {
	all := p.configuration()
	if p.plain {
		return append(all, Finding{Name: "project", Status: Missing, Detail: "the folder contains only a configuration", Hint: "run mcpfunc init to make a project"})
	}
	all = append(all, p.generated()...)
	all = append(all, p.host()...)
	all = append(all, p.stack()...)
	all = append(all, p.images()...)
	all = append(all, p.paths()...)
	all = append(all, p.manifest()...)
	all = append(all, p.access()...)
	all = append(all, p.pins()...)
	all = append(all, p.settingsFile(ctx)...)
	all = append(all, p.Parameters()...)
	return append(all, p.size()...)
}

// writable finds a configuration that every user of this machine can change: it says which programs are run.
func (p *Project) writable() []Finding {
	if runtime.GOOS == "windows" { // whose modes say nothing
		return nil
	}
	for _, path := range []string{p.File.Path, p.Dir} {
		if info, err := os.Stat(path); err == nil && info.Mode()&(0o002|os.ModeSticky) == 0o002 {
			return []Finding{warning(filepath.Base(p.File.Path), "chmod o-w "+path, "can be changed by every user of this machine, and determines which programs run")}
		}
	}
	return nil
}

// configuration tells of the warnings in the file and of what Advise adds to them.
func (p *Project) configuration() []Finding {
	all := []Finding{okay(filepath.Base(p.File.Path), "servers: %d, enabled: %d", len(p.File.Servers), len(p.File.Enabled()))}
	for _, w := range p.File.Warnings {
		all = append(all, warning(filepath.Base(p.File.Path), w.Hint, "%s", w))
	}
	all = append(all, p.writable()...)
	advice := p.advice()
	for _, rule := range []struct {
		rule Rule
		good string
	}{
		{RulePackages, "every package is pinned"},
		{RuleDotnet, ""},
		{RuleSecrets, "the configuration contains no secrets in plain text"},
		{RuleSessions, ""},
		{RuleAccess, ""},
		{RuleSandbox, ""},
		{RuleLimits, "streams send keep-alives often enough"},
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

// manifest says whether what servers are known to answer is of them as they are. A project needs none.
func (p *Project) manifest() []Finding {
	const name, hint = "manifest", "run mcpfunc pack, or mcpfunc manifest if nothing is packed"
	if _, err := os.Stat(p.path(manifest.Name)); err != nil {
		return nil
	}
	stale, err := pack.StaleManifest(p.Dir, p.File)
	if err != nil {
		return []Finding{failed(name, hint, err)}
	}
	var found []Finding
	for _, text := range stale {
		found = append(found, warning(name, hint, "%s; every session starts a process", text))
	}
	return unless(found, okay(name, "%s matches the servers", manifest.Name))
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
	all = append(all, p.functions(app)...)
	if app.RoutePrefix != "" {
		all = append(all, failure(name, hint, `extensions.http.routePrefix is %q and must be "": otherwise the servers are at /%s/api/mcp, and /.well-known is not served`, app.RoutePrefix, app.RoutePrefix))
	}
	if !app.Streams() {
		all = append(all, failure(name, hint, "customHandler.enableProxyingHttpRequest is not true: the host buffers each response until it is complete, so streams never arrive"))
	}
	switch t := app.FunctionTimeout; {
	case !p.writes("functionTimeout"):
		all = append(all, warning(name, hint, "functionTimeout is not set: on plans whose default is 5 minutes, the host then kills the handler and every session"))
	case t >= 0 && t <= streamLimit:
		all = append(all, warning(name, `set it to "00:30:00" (the Consumption plan allows at most ten minutes)`,
			"functionTimeout is %s, but streams last up to %s: the host then kills the handler and every session", t, streamLimit))
	}
	for _, s := range p.File.Enabled() {
		if t := app.FunctionTimeout; t >= 0 && s.RequestTimeout >= t {
			e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "request_timeout_seconds",
				Err: fmt.Errorf("allows a call to last %s, but at functionTimeout (%s) the host kills the handler and every session", s.RequestTimeout, t)}
			all = append(all, warning("limits", "set it below functionTimeout", "%v", e))
		}
	}
	if up := p.File.Runtime.MaxRequestBytes; up > app.MaxBody() {
		all = append(all, warning("limits", "lower it, or set the app setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
			`%s: "runtime.max_message_bytes" allows requests of %d MiB, but the host refuses those over %d MiB`, p.File.Path, up>>20, app.MaxBody()>>20))
	}
	return append(unless(all, okay(name, "requests are streamed and served at the site's root")), p.handler(app.Executable()))
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

// access finds servers that the app lends its own identity to everybody by, or that everybody may
// use: it refuses to start on Azure with those.
func (p *Project) access() []Finding {
	const hint = `remove "defaultAuthorizationLevel" from host.json, then run mcpfunc generate with another auth level`
	if p.made.AuthLevel != generator.LevelAnonymous {
		return nil
	}
	var all []Finding
	for _, s := range p.File.Enabled() {
		e := &config.Error{Path: p.File.Path, Line: s.Line, Server: s.Name, Key: "auth"}
		switch {
		case s.Auth.Method == config.AuthAzureDefault:
			e.Err = fmt.Errorf("gives every caller the app's own identity: the auth level is anonymous, and the method does not require a token")
		case s.Auth.Method == config.AuthNone && !s.Auth.AllowPublic:
			e.Err = fmt.Errorf("admits anyone: the auth level is anonymous, and the method does not require a token")
		default:
			continue
		}
		all = append(all, failure("access", hint, "%v", e))
	}
	return all
}
