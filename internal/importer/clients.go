package importer

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// gemini reports whether a file with "mcpServers" is of Gemini CLI: its settings, or an extension.
func (p place) gemini(root *hujson.Object) bool {
	if len(p.path) != 1 || p.path[0] != "mcpServers" {
		return false
	}
	return slices.ContainsFunc([][]string{
		{"mcp", "allowed"}, {"mcp", "excluded"}, {"allowMCPServers"}, {"excludeMCPServers"}, {"contextFileName"}, {"selectedAuthType"}, {"security", "auth"},
	}, func(path []string) bool { return member(root, path...) != nil })
}

// geminiLists reads which servers are switched off.
func (s *source) geminiLists(root *hujson.Object) {
	for _, path := range [][]string{{"mcp", "excluded"}, {"excludeMCPServers"}} {
		names, _ := asStrings(member(root, path...))
		for _, name := range names {
			s.switchOff(name, "it is in "+strings.Join(path, "."))
		}
	}
	for _, path := range [][]string{{"mcp", "allowed"}, {"allowMCPServers"}} {
		if names, ok := asStrings(member(root, path...)); ok {
			s.only = append(s.only, names...)
			if s.only == nil {
				s.only = []string{}
			}
		}
	}
}

// claudeLists reads which servers of a project are switched off.
func (s *source) claudeLists(root *hujson.Object) {
	for _, key := range []string{"disabledMcpServers", "disabledMcpjsonServers"} {
		names, _ := asStrings(member(root, key))
		for _, name := range names {
			s.switchOff(name, "it is in "+key)
		}
	}
}

func (s *source) switchOff(name, why string) {
	if s.off == nil {
		s.off = map[string]string{}
	}
	s.off[name] = why
}

// geminiTools are tools of Gemini CLI itself, which no server has.
var geminiTools = strings.Fields(`run_shell_command read_file read_many_files write_file replace edit glob grep search_file_content
	list_directory web_fetch google_web_search save_memory write_todos ShellTool ReadFileTool WriteFileTool EditTool`)

// guardedExtension reads which tools of its servers a file keeps from being called at its top: "excludeTools"
// of a Gemini extension, "tools" of opencode, and "amp.mcpPermissions". It refuses a file of which that cannot be kept up.
func (s *source) guardedExtension(root *hujson.Object) error {
	names, _ := asStrings(member(root, "excludeTools"))
	for _, name := range names {
		switch {
		case slices.Contains(geminiTools, toolName(name)):
		case qualified(name):
			return refused(s.path, "remove it if every caller may do everything with these servers; otherwise host them elsewhere",
				`has "excludeTools" with arguments, which mcpfunc does not support, so it does not serve these servers`)
		default:
			s.excluded = append(s.excluded, name)
			if _, tool, of := strings.Cut(name, "__"); of { // Gemini's SERVER__TOOL
				s.excluded = append(s.excluded, tool)
			}
		}
	}
	if s.dialect.braces {
		s.opencodeTools(root)
	}
	if v := member(root, "amp.mcpPermissions"); v != nil {
		if list, ok := v.Value.(*hujson.Array); !ok || slices.ContainsFunc(list.Elements, rejects) {
			return refused(s.path, "remove it, and the servers that it rejects", `has "amp.mcpPermissions" that rejects servers, which mcpfunc does not support, so it does not serve these servers`)
		}
	}
	return nil
}

// rejects reports whether a rule of Amp is one that rejects.
func rejects(v hujson.Value) bool {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return true
	}
	action := member(o, "action")
	return action == nil || text(*action) != "allow"
}

// opencodeTools reads which tools are switched off: "tools": {"NAME_*": false}.
func (s *source) opencodeTools(root *hujson.Object) {
	tools := member(root, "tools")
	if tools == nil {
		return
	}
	o, ok := tools.Value.(*hujson.Object)
	if !ok {
		return
	}
	for _, m := range o.Members {
		if v := m.Value; isFalse(&v) {
			s.guards = append(s.guards, text(m.Name))
		}
	}
}

// readInputs reads what VS Code would ask for: the "inputs" beside the servers.
func (s *source) readInputs(root *hujson.Object, p place) {
	beside := append(slices.Clone(p.path[:len(p.path)-1]), "inputs")
	v := member(root, beside...)
	if v == nil {
		return
	}
	list, ok := v.Value.(*hujson.Array)
	if !ok {
		return
	}
	s.inputs = map[string]input{}
	for _, e := range list.Elements {
		o, ok := e.Value.(*hujson.Object)
		if !ok {
			continue
		}
		get := func(name string) string {
			if v := member(o, name); v != nil {
				return text(*v)
			}
			return ""
		}
		id := get("id")
		in := input{env: variableFor(id), secret: isTrue(member(o, "password"))}
		if !in.secret {
			in.fallback = get("default")
		}
		if v := member(o, "options"); v != nil {
			in.options = options(v)
		}
		if id != "" {
			s.inputs[id] = in
		}
	}
}

// options returns the values of a pick list: strings, or objects with a label and a value.
func options(v *hujson.Value) []string {
	array, ok := v.Value.(*hujson.Array)
	if !ok {
		return nil
	}
	var list []string
	for _, e := range array.Elements {
		if s, ok := asString(e); ok {
			list = append(list, s)
		} else if o, ok := e.Value.(*hujson.Object); ok {
			if v := member(o, "value"); v != nil {
				list = append(list, text(*v))
			}
		}
	}
	return list
}

// A state is the file in which Claude Code keeps everything: servers of its user and of projects,
// and their history.
type state struct {
	Servers  json.RawMessage `json:"mcpServers"`
	Projects map[string]struct {
		Servers  json.RawMessage `json:"mcpServers"`
		Disabled []string        `json:"disabledMcpServers"`
	} `json:"projects"`
}

// stateOf reports whether text is such a file, under any name.
func stateOf(text []byte) (state, bool) {
	var s state
	if !bytes.Contains(text, []byte(`"mcpServers"`)) || !bytes.Contains(text, []byte(`"projects"`)) {
		return s, false
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	err := json.Unmarshal(text, &s)
	return s, err == nil && s.Projects != nil
}

// openState finds the servers of the current folder's project, or of the nearest one above it, and
// behind them those of the user. Of two with one name the project's counts, as it does there.
func openState(path string, text []byte, st state, opts Options) (*source, error) {
	src := &source{path: path, format: "the state of Claude Code"}
	dir := opts.Dir
	for filepath.Dir(dir) != dir && len(st.Projects[dir].Servers) == 0 {
		dir = filepath.Dir(dir)
	}
	for _, name := range st.Projects[dir].Disabled {
		src.switchOff(name, "it is in disabledMcpServers")
	}
	seen := map[string]bool{}
	for _, part := range []json.RawMessage{st.Projects[dir].Servers, st.Servers} {
		if len(part) == 0 || string(part) == "null" {
			continue
		}
		// As many lines in front as in the file, so that what is said has its lines.
		above := bytes.Count(text[:bytes.Index(text, part)], []byte("\n"))
		doc, err := config.Read(path, slices.Concat(bytes.Repeat([]byte("\n"), above), []byte(`{"mcpServers": `), part, []byte("}")))
		if err != nil {
			return nil, err
		}
		one := &source{path: path}
		place, servers := locate(doc.Root.Value.(*hujson.Object))
		if servers == nil {
			continue
		}
		if err := one.addJSON(doc, servers, place); err != nil {
			return nil, err
		}
		for _, e := range one.entries {
			if !seen[e.name] {
				seen[e.name] = true
				src.entries = append(src.entries, e)
			}
		}
	}
	return src, nil
}
