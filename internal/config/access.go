package config

import (
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// The keys of "prompts" and "resources", and of "tools".
var (
	accessKeys = []string{"allow", "deny", "require"}
	toolKeys   = append(slices.Clone(accessKeys), "pin")
)

// setAccess reads "tools", "prompts" or "resources". Like auth, what is not understood is an error: it was to
// keep something from somebody. A list is another client's form of a guard.
func (d *draft) setAccess(m member) error {
	if _, object := m.val.Value.(*hujson.Object); !object && m.name == "tools" {
		if Guard(m.name, m.val) {
			return guarded(m)
		}
		return nil
	}
	keys, rules := accessKeys, &d.Access.Resources
	switch m.name {
	case "tools":
		keys, rules = toolKeys, &d.Access.Tools
	case "prompts":
		rules = &d.Access.Prompts
	}
	return m.each(keys, nil, func(f member) (err error) {
		switch f.name {
		case "allow":
			if rules.Allow, err = f.globs(m.name); err == nil && len(rules.Allow) == 0 {
				err = f.fail("must not be an empty list, which would allow nothing").hint(`write "deny": ["*"] to allow nothing, or remove the key`)
			}
		case "deny":
			rules.Deny, err = f.globs(m.name)
		case "require":
			rules.Require, err = f.requirements(m.name)
			if len(rules.Require) > 0 && d.require == nil {
				d.require = &f
			}
		case "pin":
			d.Access.Pin, err = choice(f.node, PinOff, PinWarn, PinEnforce)
		}
		return err
	})
}

// globs reads a list of globs for what is called of.
func (n node) globs(of string) ([]string, error) {
	elements, err := n.elements("globs")
	if err != nil {
		return nil, err
	}
	globs := make([]string, 0, len(elements))
	for _, e := range elements {
		g, err := e.text()
		if err == nil {
			err = e.checkGlob(of, g)
		}
		if err != nil {
			return nil, err
		}
		globs = append(globs, g)
	}
	return globs, nil
}

// checkGlob says why g is no glob, or one that does not mean what it seems to: only "*" and "?" stand for
// something else. A URI, or the template of one, may have brackets.
func (n node) checkGlob(of, g string) error {
	switch {
	case n.pending(g):
		return nil
	case g == "":
		return n.fail("must not contain an empty glob, which matches nothing")
	case strings.TrimSpace(g) != g:
		return n.fail("contains %q, which begins or ends with a space; no name does", g)
	case of == "resources":
		return nil
	case strings.ContainsAny(g, `[]{}\`) || g[0] == '!':
		return n.fail(`contains %q; the only wildcards are "*" (any characters) and "?" (exactly one)`, g).hint("write each name or pattern as a separate list item")
	}
	return nil
}

// requirements reads "require": who may use what a glob matches, in the order of the file.
func (n node) requirements(of string) ([]Requirement, error) {
	members, err := n.members()
	if err != nil {
		return nil, err
	}
	var list []Requirement
	for _, m := range members {
		if err := m.at.checkGlob(of, m.name); err != nil {
			return nil, err
		}
		need, err := m.requirement()
		if err != nil {
			return nil, err
		}
		list = append(list, need)
	}
	return list, nil
}

func (m member) requirement() (Requirement, error) {
	need := Requirement{Glob: m.name}
	members, err := m.members()
	if err != nil {
		return need, err
	}
	for _, f := range members {
		to, ok := map[string]*[]string{"scopes": &need.Scopes, "roles": &need.Roles, "groups": &need.Groups}[f.name]
		if !ok {
			return need, unknownKey(f, []string{"scopes", "roles", "groups"})
		}
		switch *to, err = f.words(); {
		case err != nil:
			return need, err
		case len(*to) == 0:
			return need, f.fail("must not be an empty list").hint("remove the key, or name what callers need")
		case f.name != "scopes":
		case slices.ContainsFunc(*to, func(s string) bool { return !f.pending(s) && !scope(s) }):
			return need, f.fail("must be a list of scopes: ASCII without quotes and backslashes")
		}
	}
	if need.Scopes == nil && need.Roles == nil && need.Groups == nil {
		return need, m.fail("must name scopes, roles or groups").hint("remove it if callers need none of them")
	}
	return need, nil
}

// scope reports whether s is a scope-token of RFC 6749, section 3.3.
func scope(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// checkRequire refuses a requirement that nobody could meet: without a token there is neither scope nor role.
func (d *draft) checkRequire() error {
	if d.require == nil || d.Auth.Method == AuthAzureOBO || d.Auth.Method == AuthOAuth2Bearer {
		return nil
	}
	return d.require.fail("can never be met: callers do not have a token with the method %q", d.Auth.Method).
		hint(`set auth.method to %q or %q, or use "deny" for what nobody may use`, AuthAzureOBO, AuthOAuth2Bearer)
}
