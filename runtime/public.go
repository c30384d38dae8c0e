package mcpfunc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// refusePublic returns an error for a server of a file that anyone on the internet could use below
// prefix. It is meant only if the file says so.
func refusePublic(file *config.File, s config.Server, prefix string, env environment) error {
	first, _ := file.Default()
	err := isPublic(filepath.Dir(file.Path), s, prefix, s.Name == first.Name, env)
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
	host := readHostFile(filepath.Join(dir, "host.json"), env.overrides())
	for _, f := range openFunctions(dir, host.routePrefix) {
		ours := func(name string) bool { return strings.EqualFold(name, f.name) }
		if slices.ContainsFunc(functions, ours) || slices.ContainsFunc(paths, f.serves) {
			return fmt.Errorf("would let anyone in: the function %s requires no key, and the method requires no token", f.name)
		}
	}
	for _, r := range host.routes {
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

// A hostFile is what host.json says of routes, as the host would have it.
type hostFile struct {
	routePrefix string
	routes      []route // of customHandler.http.routes; any at all exclude function.json
}

// readHostFile reads host.json with the app settings that beat it, and with what the custom-handler profiles set
// by default: one route that takes everything.
func readHostFile(file string, settings map[string]string) hostFile {
	var host struct {
		ConfigurationProfile string
		Extensions           struct {
			HTTP struct{ RoutePrefix *string }
		}
		CustomHandler struct {
			HTTP struct {
				DefaultAuthorizationLevel string
				Routes                    []struct{ Route, AuthorizationLevel string }
			}
		}
	}
	readSettings(file, &host) // without one the settings alone count
	set := func(value *string, key string) {
		if v, ok := settings[key]; ok {
			*value = v
		}
	}
	http := &host.CustomHandler.HTTP
	set(&host.ConfigurationProfile, "configurationprofile")
	set(&http.DefaultAuthorizationLevel, "customhandler:http:defaultauthorizationlevel")
	type entry struct{ route, level string }
	const list = "customhandler:http:routes:"
	entries := map[string]entry{} // by the index, which a setting may make up
	for i, r := range http.Routes {
		entries[strconv.Itoa(i)] = entry{r.Route, r.AuthorizationLevel}
	}
	for key := range settings {
		if index, field, ok := strings.Cut(strings.TrimPrefix(key, list), ":"); ok && strings.HasPrefix(key, list) {
			e := entries[index]
			switch field {
			case "route":
				e.route = settings[key]
			case "authorizationlevel":
				e.level = settings[key]
			}
			entries[index] = e
		}
	}
	made := hostFile{routePrefix: "api"}
	if strings.HasSuffix(strings.ToLower(host.ConfigurationProfile), "-custom-handler") {
		made.routePrefix = ""
		if len(entries) == 0 {
			entries["0"] = entry{route: "{*route}"}
		}
	}
	if p := host.Extensions.HTTP.RoutePrefix; p != nil {
		made.routePrefix = *p
	}
	set(&made.routePrefix, "extensions:http:routeprefix")
	for _, e := range entries {
		made.routes = append(made.routes, routeOf(made.routePrefix, e.route, cmp.Or(e.level, http.DefaultAuthorizationLevel)))
	}
	return made
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

// readSettings reads a JSON file of the host, which takes comments in them, names in any case, a byte order mark,
// and values of other types: what can be read counts.
func readSettings(file string, into any) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	data, err = hujson.Standardize(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return false
	}
	err = json.Unmarshal(data, into)
	_, other := errors.AsType[*json.UnmarshalTypeError](err)
	return err == nil || other
}
