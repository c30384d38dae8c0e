package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// What other clients say about the tools of a server becomes "tools": what is denied, and what is allowed.
// Only what could not be kept up in this way is left to guards, which leaves the server out.

// toolGuards are the keys of clients that list tools, and whether it is those that may not be called.
var toolGuards = map[string]bool{
	"disabledTools": true, "disabled_tools": true, "excludeTools": true, "exclude_tools": true,
	"includeTools": false, "include_tools": false, "enabledTools": false, "enabled_tools": false,
	"allowedTools": false, "available_tools": false, "tools": false,
}

// tools translates the lists of an entry, and those at the top of its file that are about it.
func (c *conversion) tools() *Note {
	c.approvals()
	for _, m := range slices.Clone(c.Members) {
		key := text(m.Name)
		denies, known := toolGuards[key]
		list, ok := asStrings(&m.Value)
		if !known || !ok || !config.Guard(key, m.Value) {
			continue
		}
		word, what := "allow", "allows "+counted(list)
		switch {
		case denies:
			word, what = "deny", "denies "+counted(list)
		case len(list) == 0:
			word, what, list = "deny", "allows no tool", []string{"*"}
		default:
			for i := range list {
				list[i] = toolName(list[i])
			}
		}
		switch {
		case denies && slices.ContainsFunc(list, qualified), word == "allow" && !c.src.dialect.globs && slices.ContainsFunc(list, wild), !c.rule(key, word, list):
			continue
		}
		c.changed(key, "", "%s, which is \"tools\": {%q: ...} here", what, word)
	}
	if list := c.src.allowed[c.from]; len(list) > 0 {
		if !c.rule("tools", "allow", list) {
			return &Note{Key: "tools", Text: guardReason}
		}
		c.changed("", "", `may be called for %s only by "tools" of the agent, which is "tools": {"allow": ...} here`, counted(list))
	}
	if list := c.src.deniedOver(c.from); len(list) > 0 && c.rule("tools", "deny", list) {
		c.changed("", "", "has tools disabled at the top of the file, which is \"tools\": {\"deny\": ...} here")
	}
	return nil
}

// approvals takes out "tools" of Codex, where it says no more than when to ask its user: "tools.NAME.approval_mode".
func (c *conversion) approvals() {
	v := c.get("tools")
	if v == nil {
		return
	}
	o, ok := v.Value.(*hujson.Object)
	if !ok || len(o.Members) == 0 {
		return
	}
	for _, m := range o.Members {
		about, ok := m.Value.Value.(*hujson.Object)
		if !ok || slices.ContainsFunc(about.Members, func(m hujson.ObjectMember) bool { return text(m.Name) != "approval_mode" }) {
			return
		}
	}
	c.drop("tools")
	c.dropped = append(c.dropped, "approval_mode")
}

// agentTools reads "tools" at the top of an agent's file (Amazon Q, Kiro, Copilot): "@NAME" or "NAME/*" for every tool
// of a server, "@NAME/TOOL" or "NAME/TOOL" for one, "*" for all of all. Other words are tools of the client itself. A
// file without the list restricts nothing.
func (s *source) agentTools(list []string, listed bool) {
	if !listed || slices.Contains(list, "*") {
		return
	}
	s.allowed = map[string][]string{}
	for _, e := range s.entries {
		all := false
		for _, word := range list {
			server, tool, one := strings.Cut(strings.TrimPrefix(word, "@"), "/")
			switch {
			case server != e.name || !one && !strings.HasPrefix(word, "@"):
			case !one || tool == "*":
				all = true
			default:
				s.allowed[e.name] = append(s.allowed[e.name], tool)
			}
		}
		switch {
		case all:
			delete(s.allowed, e.name)
		case s.allowed[e.name] == nil:
			s.switchOff(e.name, `"tools" of the agent has none of its tools`)
		}
	}
}

// toolName is the name in Gemini's name(arguments).
func toolName(name string) string {
	name, _, _ = strings.Cut(name, "(")
	return name
}

// qualified reports whether a name is one with arguments: others than those may be called.
func qualified(name string) bool { return strings.Contains(name, "(") }

// wild reports whether a name is a glob here, which may well be none in its client.
func wild(name string) bool { return strings.ContainsAny(name, "*?") }

func counted(list []string) string {
	switch {
	case slices.Contains(list, "*"):
		return "every tool"
	case len(list) == 1:
		return fmt.Sprintf("the tool %q", list[0])
	}
	return fmt.Sprintf("%d tools", len(list))
}

// rule adds a list to "tools", in place of the member key, and reports whether it could: there is no other
// list of what is allowed, and "tools" is ours or key itself.
func (c *conversion) rule(key, word string, list []string) bool {
	ours := &object{Object: &hujson.Object{}}
	if v := c.get("tools"); v != nil {
		if o, ok := v.Value.(*hujson.Object); ok {
			ours.Object = o
		} else if key != "tools" {
			return false
		}
	}
	old, there := asStrings(ours.get(word))
	if there && word == "allow" || !there && ours.get(word) != nil {
		return false
	}
	ours.put(word, stringList(slices.Concat(old, list)))
	switch {
	case c.index("tools") >= 0 && key != "tools":
		c.drop(key)
	case key != "tools":
		c.rename(key, "tools")
	}
	c.put("tools", ours.Object)
	return true
}

// deniedOver returns globs of tools of a server that the file switches off at its top: in opencode, which
// calls them NAME_TOOL, and writes "_" for characters other than letters, digits, "_" and "-"; in an extension of Gemini.
func (s *source) deniedOver(server string) []string {
	list := slices.Clone(s.excluded)
	prefix := sanitized(server) + "_"
	for _, glob := range s.guards {
		if glob == server || glob == sanitized(server) {
			list = append(list, "*")
			continue
		}
		for _, rest := range behind(glob, prefix) {
			list = append(list, strings.ReplaceAll(rest, "_", "?"))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func sanitized(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
}

// behind returns globs for what may follow prefix in a name that glob matches.
func behind(glob, prefix string) []string {
	if rest, ok := strings.CutPrefix(glob, prefix); ok {
		if rest == "" {
			return nil
		}
		return []string{rest}
	}
	before, after, star := strings.Cut(glob, "*")
	if !star || !strings.HasPrefix(prefix, before) {
		return nil
	}
	list := []string{"*" + after}
	for k := 1; k < len(after); k++ { // the star may match less of prefix
		if strings.HasSuffix(prefix, after[:k]) {
			list = append(list, after[k:])
		}
	}
	return list
}
