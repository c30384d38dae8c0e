package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LoadEach is ParseEach of the file at path, which it reads as Load does.
func LoadEach(path string, lookup func(string) (string, bool)) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseEach(path, data, lookup)
}

// ParseEach is Parse for an app that serves what it can: what is wrong with one server is no error but
// the Fault of that server, and of both where two have one name. What is wrong with the rest of the file
// is an error. None of them shows what lookup returned.
func ParseEach(path string, data []byte, lookup func(string) (string, bool)) (*File, error) {
	return parse(path, data, lookup, true)
}

// faulty is what stands for an entry that cannot be served, and for others of its name.
func (p *parser) faulty(f member, err error) Server {
	fault := p.withoutValues(err, func() error {
		_, err := p.server(f)
		return err
	})
	for i := range p.file.Servers {
		if other := &p.file.Servers[i]; strings.EqualFold(other.Name, f.name) {
			*other = Server{Name: other.Name, Line: other.Line, Enabled: true, Fault: fault}
		}
	}
	return Server{Name: f.name, Line: f.at.line(), Enabled: true, Fault: fault}
}

// withoutValues returns an error in which nothing stands that a variable is. It finds out what is wrong
// with the text as it is written, by reading it again; if that is nothing, the values are to blame, and
// the error says whose they are.
func (p *parser) withoutValues(err error, again func() error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Path: p.file.Path, Err: err}
	}
	if _, none := errors.AsType[*valueless](err); none || p.on.lookup == nil {
		return e
	}
	on, file := p.on, *p.file
	p.on = &expander{inputs: on.inputs}
	written, failed := errors.AsType[*Error](again())
	p.on, *p.file = on, file
	if failed {
		return written
	}
	return Withhold(p.file.Variables, e)
}

// Withhold returns an error that is about what variables stand for as one that does not show it. One
// about a key without variables is returned as it is.
func Withhold(variables []Variable, e *Error) *Error {
	names := asked(variables, e)
	if len(names) == 0 {
		return e
	}
	list := strings.Join(names, ", ")
	return &Error{
		Path: e.Path, Line: e.Line, Server: e.Server, Key: e.Key,
		Err: fmt.Errorf("cannot be used with the value of %s", list), Hint: "check the app setting " + list,
	}
}

// asked lists the variables at the key of e, above it and below it.
func asked(variables []Variable, e *Error) (names []string) {
	within := func(a, b string) bool {
		return a == b || b == "" || strings.HasPrefix(a, b+".") || strings.HasPrefix(a, b+"[")
	}
	for _, v := range variables {
		if v.Server == e.Server && (within(v.Key, e.Key) || within(e.Key, v.Key)) && !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

// A valueless error shows no value of a variable, whatever its key has.
type valueless struct{ error }

func (e *valueless) Unwrap() error { return e.error }

// showsNone marks e as valueless.
func showsNone(e *Error) *Error {
	e.Err = &valueless{e.Err}
	return e
}

// Unresolved reports whether the value of an app setting is still the reference to a secret in Key
// Vault, which the platform passes on as it stands while it cannot read the secret.
func Unresolved(value string) bool {
	const prefix = "@Microsoft.KeyVault("
	return len(value) >= len(prefix) && strings.EqualFold(value[:len(prefix)], prefix)
}

// UnresolvedHint says what helps against it.
const UnresolvedHint = "grant the app's identity the role Key Vault Secrets User, check that the secret has a value, then change any app setting: the platform resolves the reference again and restarts the app"
