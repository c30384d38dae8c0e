package config

import (
	"slices"
	"strings"

	"github.com/tailscale/hujson"
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
	return m.each(nil, d.accessFields(m.name))
}

// accessFields are the keys of "tools", "prompts" or "resources".
func (d *draft) accessFields(of string) fields {
	rules := map[string]*AccessRules{"tools": &d.Access.Tools, "prompts": &d.Access.Prompts, "resources": &d.Access.Resources}[of]
	keys := fields{
		"allow": func(m member) (err error) {
			if rules.Allow, err = m.globs(of); err == nil && len(rules.Allow) == 0 {
				err = m.fail("must not be an empty list, which would allow nothing").hint(`write "deny": ["*"] to allow nothing, or remove the key`)
			}
			return err
		},
		"deny": func(m member) (err error) {
			rules.Deny, err = m.globs(of)
			return err
		},
		"require": func(m member) (err error) {
			rules.Require, err = m.requirements(of)
			if len(rules.Require) > 0 && d.require == nil {
				d.require = &m
			}
			return err
		},
	}
	if of == "tools" {
		keys["pin"] = to(&d.Access.Pin, choice(PinOff, PinWarn, PinEnforce))
	}
	return keys
}

// globs reads a list of globs for what is called of.
func (n node) globs(of string) ([]string, error) {
	return listOf(n, "globs", func(element node) (string, error) {
		glob, err := element.text()
		if err == nil {
			err = element.checkGlob(of, glob)
		}
		return glob, err
	})
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
	scopes := func(n node) ([]string, error) {
		list, err := n.someWords()
		if slices.ContainsFunc(list, func(s string) bool { return !n.pending(s) && !IsScope(s) }) {
			return nil, n.fail("must be a list of scopes: ASCII without quotes and backslashes")
		}
		return list, err
	}
	err := m.each(nil, fields{
		"scopes": to(&need.Scopes, scopes), "roles": to(&need.Roles, node.someWords), "groups": to(&need.Groups, node.someWords),
	})
	if err == nil && need.Scopes == nil && need.Roles == nil && need.Groups == nil {
		err = m.fail("must name scopes, roles or groups").hint("remove it if callers need none of them")
	}
	return need, err
}

// someWords is words for what callers need.
func (n node) someWords() ([]string, error) {
	list, err := n.words()
	if err == nil && len(list) == 0 {
		return nil, n.fail("must not be an empty list").hint("remove the key, or name what callers need")
	}
	return list, err
}

// IsScope reports whether s is a scope-token of RFC 6749, section 3.3.
func IsScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// checkRequire refuses a requirement that nobody could meet: without a token there is neither scope nor role.
func (d *draft) checkRequire() error {
	if d.require == nil || d.Auth.Method == AuthAzureOBO || d.Auth.Method == AuthOAuth2Bearer {
		return nil
	}
	return d.require.fail("can never be met: callers do not have a token with the method %q", d.Auth.Method).
		hint(`set auth.method to %q or %q, or use "deny" for what nobody may use`, AuthAzureOBO, AuthOAuth2Bearer)
}
