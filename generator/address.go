package generator

import (
	"slices"
	"strings"
)

// An Address is a path that the handler serves, and the function that lets requests for it through.
type Address struct {
	Function string   // its name, which is that of its folder
	Path     string   // as clients send it
	Methods  []string // in capitals
}

// Addresses returns every path that the handler of p serves. Only Config and AuthLevel are looked at.
func (p Project) Addresses() []Address {
	var all []Address
	for _, f := range p.functions() {
		methods := make([]string, len(f.Methods))
		for i, m := range f.Methods {
			methods[i] = strings.ToUpper(m)
		}
		for _, path := range p.paths(f) {
			all = append(all, Address{f.Name, path, methods})
		}
	}
	return all
}

// paths returns what matches the template of f and is served.
func (p Project) paths(f function) []string {
	literal, _, parameter := strings.Cut("/"+f.Route, "{")
	base := strings.TrimSuffix(literal, "/")
	switch {
	case !parameter:
		return []string{base}
	case f.Name == landingFunction("").Name:
		return []string{"/"}
	case f.Name == metadataFunction().Name:
		paths := []string{base}
		for _, s := range p.Config.Enabled() {
			if guardedByTokens(s) {
				paths = append(paths, base+"/api/mcp/"+s.Name, base+"/api/mcp")
			}
		}
		slices.Sort(paths)
		return slices.Compact(paths)
	default:
		return []string{base, base + "/sse", base + "/message"}
	}
}
