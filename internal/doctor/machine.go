package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// Machine finds out whether the project can be built and served on this machine.
func (p *Project) Machine(ctx context.Context) []Finding {
	tools, variables, key := p.tools(ctx), p.variables(), p.sessionKey()
	resolved, err := p.resolved()
	switch {
	case err == nil:
		tools, servers := once(tools, p.servers(resolved))
		return slices.Concat(tools, variables, key, servers)
	case Failures(variables) == 0: // else what stands in for a missing value may be none that its key takes
		variables = append(variables, failed("variables", "", err))
	}
	return slices.Concat(tools, variables, key)
}

// once keeps one finding of a program that is both a tool and a server's command: the tool's, which
// knows the version, where both are the same file, and the server's where the tool is missing.
func once(tools, servers []Finding) (ofTools, ofServers []Finding) {
	tools = slices.DeleteFunc(tools, func(t Finding) bool {
		return t.Status == Missing && slices.ContainsFunc(servers, func(s Finding) bool { return s.Name == t.Name })
	})
	servers = slices.DeleteFunc(servers, func(s Finding) bool {
		return s.file != "" && slices.ContainsFunc(tools, func(t Finding) bool { return s.file == t.file })
	})
	return tools, servers
}

// lookup is how the app sees a variable on this machine; an empty one is a missing one.
func (p *Project) lookup(name string) (string, bool) {
	value := process.Getenv(p.appEnviron(), name)
	return value, value != ""
}

// variables finds the variables that have no value here, and says which the app needs on Azure.
func (p *Project) variables() []Finding {
	const name = "variables"
	var all []Finding
	var settings []string
	seen := map[string]bool{}
	for _, v := range p.File.Variables {
		if _, set := p.lookup(v.Name); !set && !v.Optional {
			e := &config.Error{Path: p.File.Path, Line: v.Line, Server: v.Server, Key: v.Key, Err: fmt.Errorf("needs the variable %s, which is not set here", v.Name)}
			all = append(all, failure(name, "set "+v.Name+" in the environment or in local.settings.json, which stays on this machine", "%v", e))
		}
		if seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		switch {
		case v.Optional:
			settings = append(settings, v.Name+" (has a default)")
		case v.Secret || secret.Setting(v.Name):
			settings = append(settings, v.Name+" (secret)")
		default:
			settings = append(settings, v.Name)
		}
	}
	if len(settings) == 0 {
		all = unless(all, okay(name, "the configuration does not use variables"))
	}
	if p.made.Hosting == generator.HostingFlex {
		settings = append(settings, generator.FeatureSetting)
	}
	if len(settings) == 0 {
		return all
	}
	all = unless(all, okay(name, "every ${NAME} has a value here"))
	needed := okay("app settings", "the app needs these settings on Azure: %s", strings.Join(settings, ", "))
	needed.Hint = "az functionapp config appsettings set -g GROUP -n APP --settings NAME=VALUE; for a secret the value is a Key Vault reference"
	return append(all, needed)
}

// resolved reads the configuration as the app does here. A variable that has no value stays as it
// stands: variables has told of it already.
func (p *Project) resolved() (*config.File, error) {
	return config.Parse(p.File.Path, p.Data, func(name string) (string, bool) {
		if value, ok := p.lookup(name); ok {
			return value, true
		}
		for _, v := range p.File.Variables {
			if v.Name == name && v.Optional {
				return "", false
			}
		}
		return "${" + name + "}", true
	})
}

// servers looks for what each server is started with, in the environment that its process gets.
func (p *Project) servers(file *config.File) []Finding {
	var all []Finding
	seen := map[string]bool{}
	for _, s := range file.Enabled() {
		where := fmt.Sprintf("server %q: ", s.Name)
		dir := p.Dir
		if s.Dir != "" {
			if dir = s.Dir; !filepath.IsAbs(dir) {
				dir = p.path(dir)
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				all = append(all, failure("working_dir", "create it, or correct working_dir", "%s%s is not a folder", where, s.Dir))
			}
		}
		vars := map[string]string{}
		if s.EnvFile != "" {
			file := s.EnvFile
			if !filepath.IsAbs(file) {
				file = p.path(file)
			}
			var err error
			if vars, err = config.LoadEnvFile(file); err != nil {
				all = append(all, failed("envFile", "the app cannot start without it", fmt.Errorf("%s%w", where, err)))
			}
		}
		spec := process.Spec{
			Command: s.Command, Dir: dir,
			Env: authenv.Join(authenv.Base(p.appEnviron(), s.InheritEnv), vars, s.Env),
		}
		f := command(spec, where)
		if p.complete(s) {
			f = okay(s.Command, "%snot needed: the server starts from packed files", where)
		}
		if !seen[f.Name+f.Detail] {
			seen[f.Name+f.Detail] = true
			all = append(all, f)
		}
	}
	return all
}

// command looks for a server's program as the runtime does: on the PATH of its process.
func command(spec process.Spec, where string) Finding {
	if strings.Contains(spec.Command, "${") {
		return Finding{Name: spec.Command, Status: Missing, Detail: where + "its command is unknown until the variable is set"}
	}
	found, err := process.Find(spec)
	if err == nil {
		return okay(spec.Command, "%s", found).of(found)
	}
	var hint string
	if ce := (*process.CommandError)(nil); errors.As(err, &ce) {
		hint, err = ce.Hint, ce.Err
	}
	if filepath.Base(spec.Command) != spec.Command {
		return failure(spec.Command, hint, "%s%v", where, err)
	}
	if hint == "" {
		hint = "install " + spec.Command + `, or put its folder on the PATH of the process by "env" of the server`
	}
	return failure(spec.Command, hint, "%snot on the PATH of its process", where)
}
