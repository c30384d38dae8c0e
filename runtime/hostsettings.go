package mcpfunc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/hostjson"
)

// An environment is variables as NAME=value, which contain the app settings.
type environment []string

// get returns the value of a variable, or "".
func (e environment) get(name string) string {
	for _, entry := range e {
		if n, value, _ := strings.Cut(entry, "="); n == name {
			return value
		}
	}
	return ""
}

// hostSettings are the values of host.json, by their paths, as package hostjson has them. An app setting beats the file.
type hostSettings map[string]string

// appRoot is the folder of the app, with host.json and the functions. A configuration may lie in another one, as
// the host starts a handler in the app's.
func appRoot(configuration string) string {
	dir := filepath.Dir(configuration)
	for _, root := range []string{dir, "."} {
		if _, err := os.Stat(filepath.Join(root, "host.json")); err == nil {
			return root
		}
	}
	return dir
}

// hostSettingsOf reads the host.json of an app. Without one the app settings alone count.
func hostSettingsOf(root string, env environment) hostSettings {
	settings := hostSettings{}
	var host any
	readSettings(filepath.Join(root, "host.json"), &host)
	hostjson.Flatten(settings, "", host)
	hostjson.Override(settings, env)
	return settings
}

// routing returns the prefix of routes, and the routes of customHandler.http.routes, of which any at all exclude
// function.json. The custom-handler profiles have a default: one route that takes everything.
func (s hostSettings) routing() (prefix string, routes []route) {
	profile := strings.HasSuffix(strings.ToLower(s["configurationprofile"]), "-custom-handler")
	prefix, ok := s["extensions:http:routeprefix"]
	if !ok && !profile {
		prefix = "api"
	}
	level := s["customhandler:http:defaultauthorizationlevel"]
	const list = "customhandler:http:routes:"
	indexes := map[string]bool{} // which a setting may make up
	for path := range s {
		if rest, ok := strings.CutPrefix(path, list); ok {
			index, _, field := strings.Cut(rest, ":")
			indexes[index] = indexes[index] || field
		}
	}
	for index, used := range indexes {
		if used {
			routes = append(routes, routeOf(prefix, s[list+index+":route"], cmp.Or(s[list+index+":authorizationlevel"], level)))
		}
	}
	if profile && len(routes) == 0 {
		routes = append(routes, routeOf(prefix, "{*route}", level))
	}
	return prefix, routes
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
