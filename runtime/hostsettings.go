package mcpfunc

import (
	"strings"
)

// An environment is variables as NAME=value, which contain the app settings.
type environment []string

// get returns the value of a variable, or "". A variable that overrides a key of host.json may be written in other ways.
func (e environment) get(name string) string {
	key := hostKey(name)
	for _, entry := range e {
		n, value, _ := strings.Cut(entry, "=")
		if n == name || key != "" && hostKey(n) == key {
			return value
		}
	}
	return ""
}

// overrides are the app settings that beat host.json, by the path of the key, as hostKey has it.
func (e environment) overrides() map[string]string {
	all := map[string]string{}
	for _, entry := range e {
		name, value, _ := strings.Cut(entry, "=")
		if key := hostKey(name); key != "" {
			all[key] = value
		}
	}
	return all
}

// hostKey returns the path of the key of host.json that an app setting of this name beats, in small letters and
// with a colon between its segments, or "". .NET, which binds them, minds neither case nor which separator it is.
func hostKey(name string) string {
	path := strings.ToLower(strings.ReplaceAll(name, "__", ":"))
	key, _ := strings.CutPrefix(path, "azurefunctionsjobhost:")
	if key == path {
		return ""
	}
	return key
}
