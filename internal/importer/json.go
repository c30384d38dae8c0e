package importer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// openJSON finds the servers of a file of JSON with comments.
func openJSON(path string, text []byte, opts Options) (*source, error) {
	if state, ok := stateOf(text); ok {
		return openState(path, text, state, opts)
	}
	doc, err := config.Read(path, text)
	if err != nil {
		return nil, err
	}
	root := doc.Root.Value.(*hujson.Object)
	src := &source{path: path, text: doc.Text}
	if src.isRegistry(doc, root) {
		return src, src.addRegistry(doc, root, opts)
	}
	if isManifest(root) {
		return openManifest(path, text, opts.Near)
	}
	place, servers := locate(root)
	if servers == nil {
		if src.addBare(doc, root) {
			return src, nil
		}
		return nil, lacksServers(path, text, root)
	}
	src.format, src.dialect = place.format, place.dialect
	src.whole = place.ours && onlyOurs(root)
	if place.gemini(root) {
		src.format = "Gemini CLI's settings"
		src.dialect.timeout, src.dialect.anywhere = milliseconds, true
		src.geminiLists(root)
	}
	if err := src.guardedExtension(root); err != nil {
		return nil, err
	}
	src.readInputs(root, place)
	src.claudeLists(root)
	if v := member(root, "runtime"); v != nil && place.ours {
		src.runtime = raw(*v, indentAt(doc.Text, v.StartOffset))
	}
	if err := src.addJSON(doc, servers, place); err != nil {
		return nil, err
	}
	if !src.whole && place.ours {
		src.agentTools(asStrings(member(root, "tools")))
	}
	return src, nil
}

// A place is where a client keeps its servers.
type place struct {
	path    []string
	format  string
	dialect dialect
	ours    bool   // config reads it as well
	list    bool   // of the opencode kind: the servers stand among other members
	mark    string // that "$schema" holds; empty for any
}

// places are tried in this order, which begins with config's.
var places = []place{
	{path: []string{"mcpServers"}, format: "a list of servers", ours: true},
	{path: []string{"servers"}, format: "VS Code's mcp.json", ours: true},
	{path: []string{"mcp", "servers"}, format: "VS Code's settings.json", ours: true},
	{path: []string{"mcp", "server"}, format: "a list of servers", ours: true},
	{path: []string{"context_servers"}, format: "Zed's settings.json", dialect: dialect{timeout: seconds}},
	{path: []string{"mcp_servers"}, format: "a list of servers"},
	{path: []string{"experimental", "modelContextProtocolServers"}, format: "Continue's config.json"},
	{path: []string{"mcp.servers"}, format: "VS Code's settings.json"},
	{path: []string{"amp.mcpServers"}, format: "Amp's settings.json", dialect: dialect{globs: true}},
	{path: []string{"augment.advanced", "mcpServers"}, format: "Augment's settings of VS Code"},
	{path: []string{"customizations", "vscode", "mcp", "servers"}, format: "a devcontainer.json"},
	{path: []string{"customizations", "vscode", "settings", "mcp", "servers"}, format: "a devcontainer.json"},
	{path: []string{"settings", "mcp", "servers"}, format: "a workspace of VS Code"},
	{path: []string{"mcp"}, format: "Crush's configuration", dialect: dialect{timeout: seconds, starts: true, substitutes: true}, list: true, mark: "charm.land/crush"},
	{path: []string{"mcp"}, format: "opencode's configuration", dialect: dialect{timeout: milliseconds, starts: true, braces: true}, list: true},
}

// locate finds the value that holds the servers: an object, or a list of objects.
func locate(root *hujson.Object) (place, *hujson.Value) {
	for _, p := range places {
		v := member(root, p.path...)
		if v == nil {
			continue
		}
		if p.list && !holdsServers(v) {
			continue
		}
		if schema := member(root, "$schema"); p.mark != "" && (schema == nil || !strings.Contains(text(*schema), p.mark)) {
			continue
		}
		return p, v
	}
	return place{}, nil
}

// member returns the value below a path of names, or nil; null is as good as absent. Of two members of
// one name the last counts, as it does for every client.
func member(o *hujson.Object, path ...string) *hujson.Value {
	var found *hujson.Value
	for i := range o.Members {
		if text(o.Members[i].Name) == path[0] && o.Members[i].Value.Value.Kind() != 'n' {
			found = &o.Members[i].Value
		}
	}
	if found == nil || len(path) == 1 {
		return found
	}
	if below, ok := found.Value.(*hujson.Object); ok {
		return member(below, path[1:]...)
	}
	return nil
}

// holdsServers reports whether a value is an object of entries.
func holdsServers(v *hujson.Value) bool {
	o, ok := v.Value.(*hujson.Object)
	return ok && slices.ContainsFunc(o.Members, func(m hujson.ObjectMember) bool { return isEntry(m.Value) })
}

// isEntry reports whether a value looks like a server.
func isEntry(v hujson.Value) bool {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return false
	}
	for _, key := range []string{"command", "cmd", "url", "serverUrl", "httpUrl"} {
		if member(o, key) != nil {
			return true
		}
	}
	return false
}

// isSwitch reports whether a value switches a server on or off that another file of the client describes.
func isSwitch(v hujson.Value) bool {
	o, ok := v.Value.(*hujson.Object)
	return ok && (member(o, "enabled") != nil || member(o, "disabled") != nil)
}

// onlyOurs reports whether every top-level member is one that an mcp_config.json may have.
func onlyOurs(root *hujson.Object) bool {
	for _, m := range root.Members {
		switch text(m.Name) {
		case "mcpServers", "servers", "inputs", "runtime", "$schema":
		case "mcp":
			o, ok := m.Value.Value.(*hujson.Object)
			if !ok || slices.ContainsFunc(o.Members, func(m hujson.ObjectMember) bool {
				return !slices.Contains([]string{"servers", "server", "inputs"}, text(m.Name))
			}) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// addJSON adds the entries of an object, or of a list with names inside.
func (s *source) addJSON(doc *config.Document, servers *hujson.Value, p place) error {
	switch v := servers.Value.(type) {
	case *hujson.Object:
		lines := map[string]int{}
		for _, m := range v.Members {
			name, line := text(m.Name), doc.Line(m.Name.StartOffset)
			if isRemark(name, m.Value) || m.Value.Value.Kind() == 'n' {
				continue
			}
			if p.list && !isEntry(m.Value) && !isSwitch(m.Value) {
				continue
			}
			if first, twice := lines[name]; twice {
				return &config.Error{Path: s.path, Line: line, Server: name, Err: fmt.Errorf("is written twice, on lines %d and %d", first, line)}
			}
			lines[name] = line
			s.entries = append(s.entries, found{
				name: name, line: line, value: m.Value, indent: indentAt(doc.Text, m.Name.StartOffset),
				text:      doc.Text[m.Value.StartOffset:m.Value.EndOffset],
				nameStart: m.Name.StartOffset, nameAt: m.Name.EndOffset,
			})
		}
	case *hujson.Array:
		s.whole = false
		for i, e := range v.Elements {
			o, ok := e.Value.(*hujson.Object)
			name := ""
			if ok {
				if n := member(o, "name"); n != nil {
					name = text(*n)
				}
			}
			if name == "" {
				name = unnamed(i)
			}
			s.entries = append(s.entries, found{name: name, line: doc.Line(e.StartOffset), value: e, indent: indentAt(doc.Text, e.StartOffset)})
		}
	default:
		e := &config.Error{Path: s.path, Line: doc.Line(servers.StartOffset), Key: strings.Join(p.path, "."), Err: errors.New("must be an object of servers")}
		if file, ok := asString(*servers); ok { // a plugin of Claude
			e.Err, e.Hint = fmt.Errorf("names the file %s, which contains the servers", file), "pass that file instead"
		}
		return e
	}
	return nil
}

// addBare adds what has no wrapping: an object of entries, as plugins of Claude Code have it, or one
// entry, as clients take it on their command lines.
func (s *source) addBare(doc *config.Document, root *hujson.Object) bool {
	if isEntry(doc.Root) {
		name := unnamed(0)
		if n := member(root, "name"); n != nil && text(*n) != "" {
			name = text(*n)
		}
		s.format = "one server"
		s.entries = []found{{name: name, line: doc.Line(doc.Root.StartOffset), value: doc.Root}}
		return true
	}
	if !holdsServers(&doc.Root) || slices.ContainsFunc(root.Members, func(m hujson.ObjectMember) bool {
		return !isEntry(m.Value) && !isRemark(text(m.Name), m.Value)
	}) {
		return false
	}
	s.format = "a list of servers"
	return s.addJSON(doc, &doc.Root, place{}) == nil
}

// isRemark reports whether a member of the servers object is a comment, as config does.
func isRemark(name string, v hujson.Value) bool {
	list := []hujson.Value{v}
	if array, ok := v.Value.(*hujson.Array); ok {
		list = array.Elements
	}
	texts := !slices.ContainsFunc(list, func(v hujson.Value) bool { return v.Value.Kind() != '"' })
	return texts && (strings.EqualFold(name, "comment") || config.CheckName(name) != nil)
}

// lacksServers names a file that holds none.
func lacksServers(path string, data []byte, root *hujson.Object) error {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return member(root, name) == nil })
	}
	switch {
	case len(root.Members) == 0:
		return empty(path, false)
	case has("registry"), has("image", "type"):
		return refused(path, "a server of the catalog that is also on npm or PyPI can be served as that package", "is from Docker's MCP catalog, whose servers are containers, but an app on Azure Functions cannot start containers")
	case has("dependencies"), has("devDependencies"), has("name", "scripts"), has("name", "version", "main"):
		return refused(path, "mcpfunc init --server NAME -- npx -y PACKAGE@VERSION serves a package from npm", "is the package.json of a Node package, which contains no servers")
	case has("permissions"), has("enabledMcpjsonServers"), has("enableAllProjectMcpServers"):
		return refused(path, "Claude Code keeps its servers in .mcp.json and ~/.claude.json", "is a settings file of Claude Code, which contains no servers")
	case has("image"), has("build", "customizations"), has("dockerComposeFile"):
		return refused(path, "", "is a devcontainer.json without servers")
	}
	_, err := config.Parse(path, data, nil)
	return err
}

// indentAt returns the blanks that begin the line of an offset.
func indentAt(text []byte, offset int) string {
	line := text[bytes.LastIndexByte(text[:offset], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}
