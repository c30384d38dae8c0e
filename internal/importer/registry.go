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
func (s *source) isRegistry(doc *config.Source, root *hujson.Object) bool {
	return len(registryServers(doc.Root, root)) > 0
}

// registryServers returns the descriptions in a file.
func registryServers(v hujson.Value, root *hujson.Object) []hujson.Value {
	if one := member(root, "server"); one != nil && isDescription(*one) {
		return []hujson.Value{*one}
	}
	if isDescription(v) {
		return []hujson.Value{v}
	}
	list := member(root, "servers")
	if list == nil {
		return nil
	}
	array, ok := list.Value.(*hujson.Array)
	if !ok {
		return nil
	}
	var found []hujson.Value
	for _, e := range array.Elements {
		if o, ok := e.Value.(*hujson.Object); ok {
			if one := member(o, "server"); one != nil && isDescription(*one) {
				if latest := member(o, "_meta", "io.modelcontextprotocol.registry/official", "isLatest"); !isFalse(latest) {
					found = append(found, *one)
				}
			} else if isDescription(e) {
				found = append(found, e)
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
func (s *source) addRegistry(doc *config.Source, root *hujson.Object, opts Options) error {
	s.format, s.text = registryFormat, nil
	list := registryServers(doc.Root, root)
	seen := map[string]bool{}
	for _, v := range list {
		name := text(*member(v.Value.(*hujson.Object), "name"))
		if seen[name] || opts.Only != "" && !sameServer(name, opts.Only) {
			continue
		}
		seen[name] = true
		f, err := s.described(name, doc.Line(v.StartOffset), v.Value.(*hujson.Object))
		if err != nil {
			return err
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
	note := Note{File: s.path, Line: line, Server: name}
	var reasons []Note
	if packages := member(o, "packages"); packages != nil {
		if array, ok := packages.Value.(*hujson.Array); ok {
			for _, rank := range []string{"npm", "pypi", "nuget", ""} {
				for _, e := range array.Elements {
					p, ok := e.Value.(*hujson.Object)
					if !ok {
						continue
					}
					d := described{p}
					kind := d.kind()
					served := slices.Contains([]string{"npm", "pypi", "nuget"}, kind)
					if rank != kind && (rank != "" || served) {
						continue
					}
					entry, why := d.entry()
					if why != nil {
						why.File, why.Line, why.Server = note.File, note.Line, note.Server
						reasons = append(reasons, *why)
						continue
					}
					if description := member(o, "description"); description != nil {
						entry = append(entry, pair{"description", text(*description)})
					}
					var err error
					f.value, err = written(entry)
					return f, err
				}
			}
		}
	}
	switch {
	case len(reasons) > 0:
		note = reasons[0]
	case member(o, "remotes") != nil:
		note.Text, note.Hint = remoteReason(""), hintRemote
	default:
		note.Text = "has no package that mcpfunc can serve"
	}
	f.err = &note
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

// entry makes an entry of a package, pinned to its version.
func (d described) entry() ([]pair, *Note) {
	id, version := d.get("identifier", "name"), d.get("version")
	if t := member(d.Object, "transport", "type"); t != nil && text(*t) != "stdio" {
		return nil, &Note{Text: fmt.Sprintf("speaks %s, but mcpfunc serves only stdio: it already is an HTTP server", text(*t))}
	}
	switch kind := d.kind(); {
	case kind == "oci" || kind == "docker":
		return nil, &Note{Text: "is a container image, but an app on Azure Functions cannot start containers", Hint: "serve the program in the image if it is also on npm, PyPI or NuGet"}
	case kind == "mcpb":
		return nil, &Note{Text: "is an MCP bundle, which is a separate file", Hint: "download it and pass it: --from FILE.mcpb"}
	case kind != "npm" && kind != "pypi" && kind != "nuget":
		return nil, &Note{Text: fmt.Sprintf("is a package of %q, which mcpfunc does not support", kind)}
	case !d.usualRegistry():
		return nil, &Note{Text: fmt.Sprintf("comes from %s; a package with that name elsewhere may belong to somebody else", hostOf(d.get("registryBaseUrl", "registry_base_url"))),
			Hint: "mcpfunc add-server NAME -- COMMAND ARGS... accepts a command that names the registry"}
	case id == "" || strings.ContainsAny(id, " \t\r\n") || strings.HasPrefix(id, "-"):
		return nil, &Note{Text: "has a package without a valid identifier"}
	case version == "" || version == "latest" || strings.ContainsAny(version, " \t\r\n^~*|<>="):
		return nil, &Note{Text: "has a package without an exact version", Hint: "mcpfunc add-server NAME -- COMMAND ARGS... accepts the version that you choose"}
	}
	var e []pair
	var args []any
	own := d.arguments("packageArguments", "package_arguments")
	switch d.kind() {
	case "npm":
		e = append(e, pair{"command", "npx"})
		args = []any{"-y", id + "@" + version}
	case "pypi":
		e = append(e, pair{"command", "uvx"})
		args = append(d.runtimeArguments(), id+"=="+version)
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
			}
		}
	}
	if len(env) > 0 {
		e = append(e, pair{"env", env})
	}
	return e, nil
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
	for _, a := range d.arguments("runtimeArguments", "runtime_arguments") {
		if s, ok := a.(string); ok && (len(args) > 0 || strings.HasPrefix(s, "--")) {
			args = append(args, a)
		}
	}
	return args
}

// arguments renders positional and named arguments. One that may be left out and has no value is left
// out.
func (d described) arguments(names ...string) []any {
	var args []any
	for _, a := range d.list(names...) {
		name := a.get("name")
		hint := a.get("valueHint", "value_hint")
		if hint == "" {
			hint = strings.TrimLeft(name, "-")
		}
		value, ok := a.value(variableFor(hint))
		switch {
		case a.get("type") == "named" && name != "":
			switch {
			case a.get("format") == "boolean": // a flag, which is there or not
				if isTrue(member(a.Object, "isRequired")) || a.get("value", "default") == "true" {
					args = append(args, name)
				}
			case ok:
				args = append(args, name, value)
			}
		case ok:
			args = append(args, value)
		}
	}
	return args
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

// filled replaces {name} in a template by the variable of the app that stands for it.
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
