package generator

import (
	"maps"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A scaffold is what templates see: a checked project, and what follows from it. A choice between
// two texts is made here.
type scaffold struct {
	Project
	Requires  []string // "module version", what the runtime requires
	GoVersion string
}

func (s scaffold) Executable() string      { return executable }
func (s scaffold) FunctionTimeout() string { return functionTimeout }
func (s scaffold) ErrorPrefix() string     { return s.Name + ":" }
func (s scaffold) DefaultPath() string     { return "/api/mcp" }

func (s scaffold) SessionKeySetting() string { return SessionKeySetting }

// Indirect returns Requires as `go mod tidy` writes it, so that tidying changes nothing.
func (s scaffold) Indirect() string {
	switch len(s.Requires) {
	case 0:
		return ""
	case 1:
		return "require " + s.Requires[0] + " // indirect"
	}
	requires := slices.Sorted(slices.Values(s.Requires)) // the carried go.mod has two blocks
	return "require (\n\t" + strings.Join(requires, " // indirect\n\t") + " // indirect\n)"
}

// GoRelease is GoVersion without its patch, as images of Go are named: the newest patch builds it.
func (s scaffold) GoRelease() string {
	if parts := strings.SplitN(s.GoVersion, ".", 3); len(parts) == 3 {
		return parts[0] + "." + parts[1]
	}
	return s.GoVersion
}

// DefaultServer returns the name of the server behind DefaultPath; check ensures that there is one.
func (s scaffold) DefaultServer() string {
	d, _ := s.Config.Default()
	return d.Name
}

// An endpoint is one server as the README shows it.
type endpoint struct {
	Server string
	Path   string
	Level  AuthLevel
	Tokens bool // a bearer token is asked for

	Headers []string // that every request has to carry
}

// CallerHeaders returns the headers that every request to a server has to carry, sorted.
func CallerHeaders(s config.Server) []string {
	return slices.Compact(slices.Sorted(maps.Values(s.EnvFromHeaders)))
}

// Endpoints returns the enabled servers in the order of the file.
func (s scaffold) Endpoints() []endpoint {
	var es []endpoint
	for _, server := range s.Config.Enabled() {
		es = append(es, endpoint{
			Server: server.Name,
			Path:   "/api/mcp/" + server.Name,
			Level:  s.level(server),
			Tokens: guardedByTokens(server), Headers: CallerHeaders(server),
		})
	}
	return es
}

// Example returns the endpoint that the README's command lines use: the default server.
func (s scaffold) Example() endpoint {
	es := s.Endpoints()
	i := slices.IndexFunc(es, func(e endpoint) bool { return e.Server == s.DefaultServer() })
	return es[i]
}

func (e endpoint) URL() string { return "https://<app>.azurewebsites.net" + e.Path }
func (e endpoint) Keys() bool  { return e.Level != LevelAnonymous }

// Guard says in words who may call.
func (e endpoint) Guard() string {
	var guards []string
	switch e.Level {
	case LevelFunction:
		guards = append(guards, "callers with a function key (`x-functions-key`)")
	case LevelAdmin:
		guards = append(guards, "callers with the master key (`x-functions-key`)")
	}
	if e.Tokens {
		guards = append(guards, "users with a bearer token")
	}
	who := "anyone"
	if guards != nil {
		who = strings.Join(guards, ", and only ")
	}
	if e.Headers != nil {
		who += "; with `" + strings.Join(e.Headers, "`, `") + "`"
	}
	return who
}

// An asked is a header that VS Code asks its user for.
type asked struct{ Header, ID, Description string }

// Asked returns the headers of the example in `.vscode/mcp.json`.
func (e endpoint) Asked() []asked {
	var all []asked
	if e.Keys() {
		all = append(all, asked{"x-functions-key", "functions-key", "Azure Functions key"})
	}
	for _, header := range e.Headers {
		all = append(all, asked{header, strings.ToLower(header), header + " for " + e.Server})
	}
	return all
}

// Placeholders returns the names of the environment variables that the app needs and has no default
// for, sorted. Only names: values are not looked up, here or anywhere in this package.
func (s scaffold) Placeholders() []string {
	var names []string
	for _, v := range s.Config.Variables {
		if !v.Optional {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// PlaceholderList returns Placeholders as prose.
func (s scaffold) PlaceholderList() string {
	names := s.Placeholders()
	for i, n := range names {
		names[i] = "`" + n + "`"
	}
	return strings.Join(names, ", ")
}
