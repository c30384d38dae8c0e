package importer

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A registry describes a server by a server.json (the schema of modelcontextprotocol/registry, 2025-12-11;
// earlier ones have snake case), and answers its API with {"server": ...} and {"servers": [...]}.

const registryFormat = "a registry's server.json"

// isRegistry reports whether a file is of a registry.
func (s *source) isRegistry(doc *config.Document, root *hujson.Object) bool {
	return len(registryServers(doc.Root, root)) > 0
}

// A listing is a description, and the state that the registry gives it: "" where it gives none.
type listing struct {
	value hujson.Value
	state string // active, deprecated, deleted
}

const official = "io.modelcontextprotocol.registry/official"

// listed is a listing of a description, and of what the registry's API has around it.
func listed(v hujson.Value, around *hujson.Object) listing {
	o := v.Value.(*hujson.Object)
	for _, state := range []*hujson.Value{member(around, "_meta", official, "status"), member(o, "_meta", official, "status"), member(o, "status")} {
		if state != nil {
			return listing{v, text(*state)}
		}
	}
	return listing{value: v}
}

// registryServers returns the descriptions in a file.
func registryServers(v hujson.Value, root *hujson.Object) []listing {
	if one := member(root, "server"); one != nil && isDescription(*one) {
		return []listing{listed(*one, root)}
	}
	if isDescription(v) {
		return []listing{listed(v, root)}
	}
	list := member(root, "servers")
	if list == nil {
		return nil
	}
	array, ok := list.Value.(*hujson.Array)
	if !ok {
		return nil
	}
	var found []listing
	for _, e := range array.Elements {
		if o, ok := e.Value.(*hujson.Object); ok {
			if one := member(o, "server"); one != nil && isDescription(*one) {
				if latest := member(o, "_meta", official, "isLatest"); !isFalse(latest) {
					found = append(found, listed(*one, o))
				}
			} else if isDescription(e) {
				found = append(found, listed(e, o))
			}
		}
	}
	return found
}

// isDescription reports whether a value is a server.json.
func isDescription(v hujson.Value) bool {
	o, ok := v.Value.(*hujson.Object)
	if !ok || member(o, "name") == nil {
		return false
	}
	if schema := member(o, "$schema"); schema != nil && strings.HasSuffix(text(*schema), "/server.schema.json") {
		return true
	}
	for _, key := range []string{"packages", "remotes"} {
		if list := member(o, key); list != nil {
			array, ok := list.Value.(*hujson.Array)
			if !ok || len(array.Elements) == 0 {
				continue
			}
			first, ok := array.Elements[0].Value.(*hujson.Object)
			return ok && slices.ContainsFunc([]string{"registryType", "registry_type", "registry_name", "url"}, func(key string) bool { return member(first, key) != nil })
		}
	}
	return false
}

// addRegistry adds what a registry describes.
func (s *source) addRegistry(doc *config.Document, root *hujson.Object, opts Options) error {
	s.format, s.text = registryFormat, nil
	list := registryServers(doc.Root, root)
	seen := map[string]bool{}
	for _, l := range list {
		name := text(*member(l.value.Value.(*hujson.Object), "name"))
		if seen[name] || opts.Only != "" && !sameServer(name, opts.Only) {
			continue
		}
		seen[name] = true
		f, err := s.described(name, doc.Line(l.value.StartOffset), l.value.Value.(*hujson.Object))
		if err != nil {
			return err
		}
		switch l.state {
		case "deleted":
			f.err = &Note{Text: "was deleted from the registry", Hint: "mcpfunc add-server NAME -- COMMAND ARGS... accepts the command itself"}
		case "deprecated":
			f.told = append(f.told, "is deprecated in the registry")
		}
		s.entries = append(s.entries, f)
	}
	if len(s.entries) > 1 && opts.Only == "" {
		return refused(s.path, "mcpfunc add-server NAME --from FILE takes one of them", "is a registry's list of %d servers: name one of them", len(s.entries))
	}
	return nil
}

// sameServer reports whether a person may call the server of that name so.
func sameServer(name, called string) bool {
	return name == called || path.Base(name) == called
}

// described makes an entry of a description: of its first package that can be served.
func (s *source) described(name string, line int, o *hujson.Object) (found, error) {
	f := found{name: name, line: line}
	var packages []described
	all := described{Object: o}.list("packages")
	for _, kind := range []string{"npm", "pypi", "nuget"} {
		packages = append(packages, slices.DeleteFunc(slices.Clone(all), func(d described) bool { return d.kind() != kind })...)
	}
	for _, d := range all {
		if !slices.Contains([]string{"npm", "pypi", "nuget"}, d.kind()) {
			packages = append(packages, d) // for the reason
		}
	}
	for _, d := range packages {
		entry, optional, why := d.entry()
		if why != nil {
			if f.err == nil {
				f.err = why
			}
			continue
		}
		if description := member(o, "description"); description != nil {
			entry = append(entry, pair{"description", text(*description)})
		}
		if len(optional) > 0 {
			f.told = append(f.told, "does not set what is optional and has no default: "+strings.Join(optional, ", "))
		}
		var err error
		f.value, err = written(entry)
		f.err = nil
		return f, err
	}
	switch {
	case f.err != nil:
	case member(o, "remotes") != nil:
		f.err = &Note{Text: remoteReason(""), Hint: hintRemote}
	default:
		f.err = &Note{Text: "has no package that mcpfunc can serve"}
	}
	return f, nil
}

// A described is one package of a description.
type described struct{ *hujson.Object }

// get returns a string member, by its name in any version of the schema.
func (d described) get(names ...string) string {
	for _, name := range names {
		if v := member(d.Object, name); v != nil {
			return text(*v)
		}
	}
	return ""
}

func (d described) kind() string {
	return strings.ToLower(d.get("registryType", "registry_type", "registry_name"))
}

// list returns the objects of a list.
func (d described) list(names ...string) []described {
	var list []described
	for _, name := range names {
		v := member(d.Object, name)
		if v == nil {
			continue
		}
		if array, ok := v.Value.(*hujson.Array); ok {
			for _, e := range array.Elements {
				if o, ok := e.Value.(*hujson.Object); ok {
					list = append(list, described{o})
				}
			}
		}
	}
	return list
}

// entry makes an entry of a package, pinned to its version. optional names what it leaves out.
func (d described) entry() (e []pair, optional []string, why *Note) {
	id, version := d.get("identifier", "name"), d.get("version")
	if t := member(d.Object, "transport", "type"); t != nil && text(*t) != "stdio" {
		return nil, nil, &Note{Text: fmt.Sprintf("speaks %s, but mcpfunc serves only stdio: it already is an HTTP server", text(*t))}
	}
	switch kind := d.kind(); {
	case kind == "oci" || kind == "docker":
		return nil, nil, &Note{Text: "is a container image, but an app on Azure Functions cannot start containers", Hint: "serve the program in the image if it is also on npm, PyPI or NuGet"}
	case kind == "mcpb":
		return nil, nil, &Note{Text: "is an MCP bundle, which is a separate file", Hint: "pass it instead, as a file or a URL"}
	case kind != "npm" && kind != "pypi" && kind != "nuget":
		return nil, nil, &Note{Text: fmt.Sprintf("is a package of %q, which mcpfunc does not support", kind)}
	case !d.usualRegistry():
		return nil, nil, &Note{Text: fmt.Sprintf("comes from %s; a package with that name elsewhere may belong to somebody else", hostOf(d.get("registryBaseUrl", "registry_base_url"))),
			Hint: "mcpfunc add-server NAME -- COMMAND ARGS... accepts a command that names the registry"}
	case id == "" || strings.ContainsAny(id, " \t\r\n") || strings.HasPrefix(id, "-"):
		return nil, nil, &Note{Text: "has a package without a valid identifier"}
	case version == "" || version == "latest" || strings.ContainsAny(version, " \t\r\n^~*|<>="):
		return nil, nil, &Note{Text: "has a package without an exact version", Hint: "mcpfunc add-server NAME -- COMMAND ARGS... accepts the version that you choose"}
	}
	var args []any
	own, optional := d.arguments("packageArguments", "package_arguments")
	switch d.kind() {
	case "npm":
		e = append(e, pair{"command", "npx"})
		args = []any{"-y", id + "@" + version}
	case "pypi":
		e = append(e, pair{"command", "uvx"})
		args = d.runtimeArguments()
		if i := slices.Index(args, any("--from")); i >= 0 && i+1 < len(args) { // the package; what comes behind is its script
			if from, ok := args[i+1].(string); ok && (from == id || strings.HasPrefix(from, id+"[") && strings.HasSuffix(from, "]")) {
				args[i+1] = from + "==" + version
			}
			args = append(args, id)
		} else {
			args = append(args, id+"=="+version)
		}
	default:
		e = append(e, pair{"command", "dnx"})
		args = []any{id + "@" + version, "--yes"}
		if len(own) > 0 {
			args = append(args, "--")
		}
	}
	e = append(e, pair{"args", append(args, own...)})
	var env []pair
	for _, v := range d.list("environmentVariables", "environment_variables") {
		if name := v.get("name"); name != "" {
			if value, ok := v.value(variableFor(name)); ok {
				env = append(env, pair{name, value})
			} else {
				optional = append(optional, name)
			}
		}
	}
	if len(env) > 0 {
		e = append(e, pair{"env", env})
	}
	return e, optional, nil
}

// hostOf is what may be shown of a URL.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "another registry"
}

// usualRegistry reports whether a package comes from where its command looks for it.
func (d described) usualRegistry() bool {
	base := strings.TrimRight(d.get("registryBaseUrl", "registry_base_url"), "/")
	return base == "" || slices.Contains([]string{
		"https://registry.npmjs.org", "https://www.npmjs.com", "https://pypi.org", "https://pypi.org/simple", "https://api.nuget.org", "https://api.nuget.org/v3/index.json", "https://www.nuget.org",
	}, base)
}

// runtimeArguments are those of uvx that say which packages come with this one. npx and dnx have none
// that a server needs: what is theirs, "-y" for example, is written anyway.
func (d described) runtimeArguments() []any {
	var args []any
	all, _ := d.arguments("runtimeArguments", "runtime_arguments")
	for _, a := range all {
		if s, ok := a.(string); ok && (len(args) > 0 || strings.HasPrefix(s, "--")) {
			args = append(args, a)
		}
	}
	return args
}

// arguments renders positional and named arguments. One that may be left out and has no value is left
// out, and is among optional.
func (d described) arguments(names ...string) (args []any, optional []string) {
	for _, a := range d.list(names...) {
		name := a.get("name")
		hint := a.get("valueHint", "value_hint")
		if hint == "" {
			hint = strings.Trim(name, "-=")
		}
		value, ok := a.value(variableFor(hint))
		switch {
		case a.get("type") == "named" && name != "":
			switch {
			case a.get("format") == "boolean": // a flag, which is there or not
				if isTrue(member(a.Object, "isRequired")) || a.get("value", "default") == "true" {
					args = append(args, name)
				}
			case ok && strings.HasSuffix(name, "="):
				args = append(args, name+value)
			case ok:
				args = append(args, name, value)
			default:
				optional = append(optional, name)
			}
		case ok:
			args = append(args, value)
		case hint != "":
			optional = append(optional, hint)
		}
	}
	return args, optional
}

// value is what an argument or a variable is to be: what is given, else a variable of the app with the
// default behind it. It reports false where nothing need be.
func (d described) value(variable string) (string, bool) {
	given := d.get("value")
	fallback := d.get("default")
	must := isTrue(member(d.Object, "isRequired")) || isTrue(member(d.Object, "is_required"))
	secret := isTrue(member(d.Object, "isSecret")) || isTrue(member(d.Object, "is_secret"))
	switch {
	case given != "":
		return d.filled(given), true
	case variable == "":
		return "", false
	case fallback != "" && !secret && !strings.ContainsAny(fallback, "${}"):
		return "${" + variable + ":-" + fallback + "}", true
	case must || secret:
		return "${" + variable + "}", true
	}
	return "", false
}

// filled replaces {name} in a template with the variable of the app for it.
func (d described) filled(template string) string {
	v := member(d.Object, "variables")
	if v == nil {
		return template
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return template
	}
	for _, m := range o.Members {
		name := text(m.Name)
		if about, ok := m.Value.Value.(*hujson.Object); ok && name != "" {
			value, ok := described{about}.value(variableFor(name))
			if !ok {
				value = "${" + variableFor(name) + "}"
			}
			template = strings.ReplaceAll(template, "{"+name+"}", value)
		}
	}
	return template
}
