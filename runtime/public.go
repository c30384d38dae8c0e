package mcpfunc

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// refusePublic returns an error for a server of a file that anyone on the internet could use below
// prefix. It is meant only if the file says so.
func refusePublic(file *config.File, s config.Server, prefix string, env environment) error {
	first, _ := file.Default()
	err := isPublic(appRoot(file.Path), s, prefix, s.Name == first.Name, env)
	if err == nil {
		return nil
	}
	hint := "run mcpfunc generate with another auth level"
	if s.Auth.Method == config.AuthNone { // the app's own identity must not be lent to every caller
		hint += `, or set "allow_public": true in auth`
	}
	return &config.Error{Path: file.Path, Line: s.Line, Server: s.Name, Key: "auth", Err: err, Hint: hint}
}

// isPublic returns an error for a server that anyone on the internet could use: on Azure, with
// an auth method that does not ask who is calling, behind a function or route that asks for no key.
func isPublic(dir string, s config.Server, prefix string, isDefault bool, env environment) error {
	hosted := env.get("WEBSITE_INSTANCE_ID") != "" || env.get("WEBSITE_POD_NAME") != "" || env.get("CONTAINER_NAME") != ""
	if !hosted || env.get("WEBSITE_SITE_NAME") == "" || s.Auth.AllowPublic {
		return nil
	}
	if s.Auth.Method != config.AuthNone && s.Auth.Method != config.AuthAzureDefault {
		return nil
	}
	functions := []string{"mcp-" + s.Name}
	base := append(strings.FieldsFunc(prefix, func(c rune) bool { return c == '/' }), "mcp")
	paths := [][]string{append(slices.Clone(base), s.Name)}
	if isDefault {
		functions = append(functions, "mcp", "sse", "message")
		paths = append(paths, base)
	}
	routePrefix, routes := hostSettingsOf(dir, env).routing()
	for _, f := range openFunctions(dir, routePrefix) {
		ours := func(name string) bool { return strings.EqualFold(name, f.name) }
		if slices.ContainsFunc(functions, ours) || slices.ContainsFunc(paths, f.serves) {
			return fmt.Errorf("would let anyone in: the function %s requires no key, and the method requires no token", f.name)
		}
	}
	for _, r := range routes {
		if r.level == "anonymous" && slices.ContainsFunc(paths, r.serves) {
			return errors.New("would let anyone in: the route in host.json requires no key, and the method requires no token")
		}
	}
	return nil
}

// An openFunction is a function that lets requests in without a key, ours or not: the handler gets them all.
type openFunction struct {
	name   string
	routes []route
}

func (f openFunction) serves(path []string) bool {
	return slices.ContainsFunc(f.routes, func(r route) bool { return r.serves(path) })
}

// openFunctions reads the function.json files of a project. One that is not there, or that cannot be read, is
// not served by the host either.
func openFunctions(dir, prefix string) (open []openFunction) {
	folders, _ := os.ReadDir(dir) // those before an error are there
	for _, folder := range folders {
		var function struct {
			Bindings []struct{ Type, AuthLevel, Route string }
		}
		if !readSettings(filepath.Join(dir, folder.Name(), "function.json"), &function) {
			continue
		}
		f := openFunction{name: folder.Name()}
		for _, b := range function.Bindings {
			if strings.EqualFold(b.Type, "httpTrigger") && strings.EqualFold(b.AuthLevel, "anonymous") {
				f.routes = append(f.routes, routeOf(prefix, cmp.Or(b.Route, f.name), b.AuthLevel))
			}
		}
		if len(f.routes) > 0 {
			open = append(open, f)
		}
	}
	return open
}

// A route is what a function, or an entry of customHandler.http.routes, takes.
type route struct {
	template []string // its segments
	level    string   // in small letters; empty: the host asks for a function key
}

func routeOf(prefix, template, level string) route {
	template = strings.TrimPrefix(template, "~") // "~/x" is "/x", which is below the prefix all the same
	return route{
		template: strings.Split(strings.Trim(path.Join(prefix, template), "/"), "/"),
		level:    strings.ToLower(level),
	}
}

// serves reports whether the route takes a path or something below it. A segment with a parameter takes any
// here, whatever it is held to: one route too many is a question, one too few an open door.
func (r route) serves(path []string) bool {
	for i, segment := range r.template {
		parameter := strings.Contains(segment, "{")
		switch {
		case strings.HasPrefix(segment, "{*"):
			return true
		case i == len(path):
			// What is below a path belongs to another server, unless it is a parameter or the pair of
			// endpoints of MCP 2024-11-05.
			return parameter || slices.Contains([]string{"sse", "message"}, strings.ToLower(segment))
		case !parameter && !strings.EqualFold(segment, path[i]):
			return false
		}
	}
	return len(r.template) == len(path)
}
