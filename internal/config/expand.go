package config

import (
	"regexp"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// An expander resolves the variables of strings. The zero value leaves them as they stand, and only
// checks that they are well formed.
type expander struct {
	lookup func(name string) (string, bool)
	inputs map[string]Input // by ID
	note   func(Variable)   // learns of every variable; may be nil
}

// A reference is what stands between "${" and "}".
type reference struct {
	name      string // of the variable
	fallback  string
	defaulted bool // a fallback is there, be it empty
	whenEmpty bool // the fallback also stands in for an empty value, as in a shell
	secret    bool
}

// expand replaces the variables of s, a string of n. With no lookup it returns s itself.
func (x *expander) expand(n node, s string) (string, error) {
	var out strings.Builder
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			break
		}
		if strings.HasSuffix(before, "$") { // $${
			out.WriteString("{")
			rest = after
			continue
		}
		body, tail, closed := strings.Cut(after, "}")
		if !closed {
			return "", n.fail("has a ${ without a closing }").hint("write $${ for a literal ${")
		}
		ref, err := x.reference(n, body)
		if err != nil {
			return "", err
		}
		ref.secret = ref.secret || announced.MatchString(before)
		value, err := x.resolve(n, ref)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		rest = tail
	}
	if x.lookup == nil {
		return s, nil
	}
	return out.String(), nil
}

// announced matches what stands before a secret: the user in a URL, the scheme of an Authorization header, the
// key in a connection string.
var announced = regexp.MustCompile(`(?i)(://[^/\s:@]*:|\b(bearer|basic)\s+|\b(AccountKey|SharedAccessKey|Password|Pwd)\s*=\s*|[?&]sig=)$`)

// reference parses the inside of ${...}. What is malformed is not quoted in the error, as it may be
// a piece of a secret.
func (x *expander) reference(n node, body string) (reference, error) {
	var ref reference
	ref.name, ref.fallback, ref.defaulted = strings.Cut(body, ":-")
	ref.whenEmpty = ref.defaulted
	if strings.Contains(ref.fallback, "${") {
		return ref, n.fail("uses a variable in the default of another").hint("write the default as plain text")
	}
	if what, hint, ok := EditorVariable(ref.name); ok {
		return ref, n.fail("uses ${%s}, %s, which does not exist on Azure", ref.name, what).hint("%s", hint)
	}
	scheme, name, schemed := strings.Cut(ref.name, ":")
	switch {
	case !schemed:
	case scheme == "env":
		ref.name = name
	case scheme == "input":
		ref.name = envName(name)
		if input, ok := x.inputs[name]; ok {
			ref.secret = input.Password
			if !ref.defaulted && input.Default != "" && !input.Password {
				ref.fallback, ref.defaulted = input.Default, true
			}
		}
	case authenv.IsVariable(scheme):
		return ref, n.fail("uses a ${%s:...} variable, which only an editor can resolve", scheme).hint(hintSetting)
	}
	if !authenv.IsVariable(ref.name) {
		return ref, n.fail("contains a ${...} that is not the name of a variable").hint("write $${ for a literal ${")
	}
	ref.secret = ref.secret || secret.Setting(n.key[strings.LastIndexByte(n.key, '.')+1:])
	return ref, nil
}

// resolve returns the value of a reference; nothing when there is no lookup.
func (x *expander) resolve(n node, ref reference) (string, error) {
	if x.note != nil {
		x.note(Variable{Name: ref.name, Server: n.server, Key: n.key, Line: n.line(), Optional: ref.defaulted || ref.name == "HOME" || ref.name == "PATH", Secret: ref.secret})
	}
	if x.lookup == nil {
		return "", nil
	}
	value, set := x.lookup(ref.name)
	switch {
	case set && strings.ContainsRune(value, 0):
		return "", showsNone(n.fail("needs the variable %s, which contains a NUL character", ref.name))
	case set && Unresolved(value): // the default is for who sets nothing
		return "", showsNone(n.fail("needs the variable %s, which is a Key Vault reference that is not resolved", ref.name)).
			hint("%s", UnresolvedHint)
	case set && !(value == "" && ref.whenEmpty):
		return value, nil
	case ref.defaulted:
		return ref.fallback, nil
	}
	return "", showsNone(n.fail("needs the variable %s, which is not set", ref.name)).
		hint("set %s in the app settings, or write ${%[1]s:-default}", ref.name)
}

var referenced = regexp.MustCompile(`\$\{(?:env:)?(\w+)`)

// secretOptions marks the variables that are the values of options that take secrets in a command line. It
// finds them as long as they stand as they were written.
func (p *parser) secretOptions(server string, args []string) {
	for _, a := range secret.Args(args) {
		if !secret.Setting(a.Name) {
			continue
		}
		for _, name := range referenced.FindAllStringSubmatch(a.Value, -1) {
			for i := range p.file.Variables {
				if v := &p.file.Variables[i]; v.Name == name[1] && v.Server == server {
					v.Secret = true
				}
			}
		}
	}
}
