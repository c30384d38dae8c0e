package mcpfunc

import (
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// refusePublic returns an error for a server of a file that anybody on the internet could use below
// prefix. It is meant only if the file says so.
func refusePublic(file *config.File, s config.Server, prefix string, getenv func(string) string) error {
	first, _ := file.Default()
	err := isPublic(filepath.Dir(file.Path), s, prefix, s.Name == first.Name, getenv)
	if err == nil {
		return nil
	}
	hint := "run mcpfunc generate with another auth level"
	if s.Auth.Method == config.AuthNone { // nobody may lend the app's own identity to everybody
		hint += `, or set "allow_public": true in auth`
	}
	return &config.Error{Path: file.Path, Line: s.Line, Server: s.Name, Key: "auth", Err: err, Hint: hint}
}

// isPublic returns an error for a server that anybody on the internet could use: on Azure, with
// an auth method that does not ask who is calling, behind a function or route that asks for no key.
func isPublic(dir string, s config.Server, prefix string, isDefault bool, getenv func(string) string) error {
	hosted := getenv("WEBSITE_INSTANCE_ID") != "" || getenv("WEBSITE_POD_NAME") != "" || getenv("CONTAINER_NAME") != ""
	if !hosted || getenv("WEBSITE_SITE_NAME") == "" || s.Auth.AllowPublic {
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
	for _, f := range functions {
		if openFunction(filepath.Join(dir, f, "function.json")) {
			return errors.New("would let anybody in: the function asks for no key, and the method for no token")
		}
	}
	for _, r := range hostRoutes(filepath.Join(dir, "host.json"), getenv) {
		if r.level == "anonymous" && slices.ContainsFunc(paths, r.serves) {
			return errors.New("would let anybody in: the route in host.json asks for no key, and the method for no token")
		}
	}
	return nil
}

// openFunction reports whether a function.json lets requests in without a key. One that is not there
// is not of the project layout that we write.
func openFunction(file string) bool {
	var function struct {
		Bindings []struct{ Type, AuthLevel string }
	}
	return readSettings(file, &function) && slices.ContainsFunc(function.Bindings, func(b struct{ Type, AuthLevel string }) bool {
		return strings.EqualFold(b.Type, "httpTrigger") && strings.EqualFold(b.AuthLevel, "anonymous")
	})
}

// A hostRoute is an entry of customHandler.http.routes.
type hostRoute struct {
	template []string // its segments
	level    string   // in small letters
}

// hostRoutes returns the routes of host.json as the host would have them, with the app settings that
// beat the file and with what the custom-handler profiles set by default: one route that takes
// everything. Any routes at all exclude function.json.
func hostRoutes(file string, getenv func(string) string) []hostRoute {
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
	if !readSettings(file, &host) {
		return nil
	}
	set := func(value *string, key string) {
		if v := getenv("AzureFunctionsJobHost__" + key); v != "" {
			*value = v
		}
	}
	http := &host.CustomHandler.HTTP
	set(&host.ConfigurationProfile, "configurationProfile")
	set(&http.DefaultAuthorizationLevel, "customHandler__http__defaultAuthorizationLevel")
	prefix := "api"
	if strings.HasSuffix(strings.ToLower(host.ConfigurationProfile), "-custom-handler") {
		prefix = ""
		if len(http.Routes) == 0 {
			http.Routes = append(http.Routes, struct{ Route, AuthorizationLevel string }{Route: "{*route}"})
		}
	}
	if p := host.Extensions.HTTP.RoutePrefix; p != nil {
		prefix = *p
	}
	var routes []hostRoute
	for i, r := range http.Routes {
		key := "customHandler__http__routes__" + strconv.Itoa(i)
		set(&r.Route, key+"__route")
		set(&r.AuthorizationLevel, key+"__authorizationLevel")
		if r.AuthorizationLevel == "" {
			r.AuthorizationLevel = http.DefaultAuthorizationLevel
		}
		routes = append(routes, hostRoute{
			template: strings.Split(strings.Trim(path.Join(prefix, r.Route), "/"), "/"),
			level:    strings.ToLower(r.AuthorizationLevel), // empty: the host asks for a function key
		})
	}
	return routes
}

// serves reports whether the route takes a path or something below it. A parameter takes any segment
// here, whatever it is held to: one route too many is a question, one too few an open door.
func (r hostRoute) serves(path []string) bool {
	for i, segment := range r.template {
		switch {
		case strings.HasPrefix(segment, "{*"):
			return true
		case i == len(path):
			// What is below a path belongs to another server, unless it is a parameter or the pair of
			// endpoints of MCP 2024-11-05.
			return strings.HasPrefix(segment, "{") || slices.Contains([]string{"sse", "message"}, strings.ToLower(segment))
		case !strings.HasPrefix(segment, "{") && !strings.EqualFold(segment, path[i]):
			return false
		}
	}
	return len(r.template) == len(path)
}

// readSettings reads a JSON file of the host, which takes comments in them and names in any case.
func readSettings(file string, into any) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	data, err = hujson.Standardize(data)
	return err == nil && json.Unmarshal(data, into) == nil
}
