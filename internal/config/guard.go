package config

import (
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// guards are keys by which clients keep a server's tools from being called, or its process from
// reaching out. A server that was tried behind such a guard must not be put on a network without it.
var guards = []string{
	"disabledTools", "disabled_tools", "excludeTools", "exclude_tools", // all but these
	"includeTools", "include_tools", "enabledTools", "enabled_tools", "allowedTools", "available_tools", "tools", // only these
	"sandbox", "sandboxEnabled",
}

// Guard reports whether the member key of a server's entry, with this value, guards it. A guard that
// lets everything pass, as "tools": ["*"] does, is not a guard.
func Guard(key string, value hujson.Value) bool {
	if !slices.Contains(guards, key) || key == "sandbox" && OwnSandbox(value) || key == "tools" && OwnTools(value) {
		return false
	}
	switch v := value.Value.(type) {
	case hujson.Literal:
		all := v.Kind() == '"' && v.String() == "*" && !refuses(key)
		return v.Kind() != 'n' && v.Kind() != 'f' && !all
	case *hujson.Object:
		return len(v.Members) > 0
	case *hujson.Array:
		for _, e := range v.Elements {
			if l, ok := e.Value.(hujson.Literal); ok && l.Kind() == '"' && l.String() == "*" {
				return refuses(key)
			}
		}
		// An empty list of what is refused refuses nothing; one of what is allowed allows nothing. Goose
		// writes an empty list for a server of which everything is available.
		return len(v.Elements) > 0 || !(refuses(key) || key == "available_tools")
	}
	return false
}

// OwnTools reports whether "tools" is the object of this file, which access.go reads, and no other client's guard.
func OwnTools(value hujson.Value) bool {
	o, ok := value.Value.(*hujson.Object)
	keys := new(draft).accessFields("tools")
	return ok && !slices.ContainsFunc(o.Members, func(m hujson.ObjectMember) bool {
		return keys[m.Name.Value.(hujson.Literal).String()] == nil
	})
}

// refuses reports whether a guard lists what may not be called.
func refuses(key string) bool {
	return strings.HasPrefix(key, "disabled") || strings.HasPrefix(key, "exclude")
}

// guarded is the error of a guard that is another client's, or that this version cannot keep up.
func guarded(m member) *Error {
	e := m.at.fail("restricts this server in another client; mcpfunc does not support it and does not serve the server")
	switch {
	case strings.HasPrefix(m.name, "sandbox"):
		return e.hint(`remove "%s" if every caller of the server may do everything with it; otherwise host it elsewhere`, m.name)
	case refuses(m.name):
		return e.hint(`write "tools": {"deny": [...]} with the same names; mcpfunc init --config and add-server --from do`)
	}
	return e.hint(`write "tools": {"allow": [...]} with the same names; mcpfunc init --config and add-server --from do`)
}
