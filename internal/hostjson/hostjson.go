// Package hostjson reads host.json as .NET binds it: as texts by path. Paths are in small letters, with a colon between
// segments, of which an index of a list is one.
package hostjson

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Flatten adds what is in a decoded JSON value at path; "" is the root. A later value replaces an earlier one.
func Flatten(settings map[string]string, path string, value any) {
	join := func(name string) string { return strings.TrimPrefix(path+":"+name, ":") }
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) { // in one order, for keys that differ in case only
			Flatten(settings, join(name), value[name])
		}
	case []any:
		for i, inner := range value {
			Flatten(settings, join(strconv.Itoa(i)), inner)
		}
	case nil:
		settings[strings.ToLower(path)] = ""
	default:
		settings[strings.ToLower(path)] = fmt.Sprint(value)
	}
}

// Override adds the app settings that beat host.json, of an environment as NAME=value: neither the case of a name
// matters, nor whether a colon or "__" separates its segments.
func Override(settings map[string]string, environ []string) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		path := strings.ToLower(strings.ReplaceAll(name, "__", ":"))
		if key, ok := strings.CutPrefix(path, "azurefunctionsjobhost:"); ok {
			settings[key] = value
		}
	}
}
