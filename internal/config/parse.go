package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Load reads and parses the file at path; see Parse. A file over 1 MiB is refused, not read.
func Load(path string, lookup func(string) (string, bool)) (*File, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, lookup)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return data, nil
}

// unreadable drops the path that the operating system's error repeats.
func unreadable(path string, err error) *Error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return &Error{Path: path, Err: fmt.Errorf("cannot be read: %w", err)}
}

// Parse reads a configuration. The path serves only to name the file in errors, all of which are
// *Error; the first one in the order of the file ends the reading, and the File is then nil. What
// is merely doubtful is in File.Warnings. Of a server that is switched off, nothing is resolved and
// what is wrong is a warning, unless it is in two minds about being off or its name is refused.
//
// With a nil lookup every ${NAME} stays as it stands and satisfies whatever its key demands. With a
// lookup, which is os.LookupEnv or like it, these are replaced in the strings of the servers that
// are switched on and of "runtime", after the JSON has been taken apart, so that no value can add
// to it:
//
//	${NAME}            the variable; an error when it is not set
//	${NAME:-default}   likewise, or the default when it is not set or empty
//	${env:NAME}        VS Code's form of the same
//	${input:ID}        the variable Input.EnvName, else the input's default
//	$${                a literal ${
//
// Names are passed to lookup as they are written. A variable that only an editor or another client
// fills in (EditorVariable) is an error with and without a lookup.
//
// "type", "auth.method" and what says whether a server is on must be written out: a scaffold
// depends on them.
func Parse(path string, data []byte, lookup func(string) (string, bool)) (*File, error) {
	return parse(path, data, lookup, false)
}

func parse(path string, data []byte, lookup func(string) (string, bool), each bool) (*File, error) {
	doc, err := Read(path, data)
	if err != nil {
		return nil, err
	}
	o, err := outlined(doc)
	if err != nil {
		return nil, err
	}
	if o.shape == "" {
		return nil, o.lacksServers()
	}
	p := &parser{outline: o, file: &File{Path: doc.Path, Shape: o.shape}, each: each, off: &expander{}}
	p.on = &expander{lookup: lookup, note: func(v Variable) { p.file.Variables = append(p.file.Variables, v) }}
	for _, other := range o.others {
		p.warn(o.servers.fail("is used, and %q is ignored", other))
	}
	if err := p.inputs(); err != nil {
		return nil, err
	}
	if err := p.servers(); err != nil {
		return nil, err
	}
	if err := p.runtime(); err != nil {
		if each {
			err = p.withoutValues(err, p.runtime)
		}
		return nil, err
	}
	p.strays()
	return p.file, nil
}

// A parser fills a File from an outline.
type parser struct {
	outline *outline
	file    *File
	each    bool      // what is wrong with one server is in its Fault
	on, off *expander // for what is switched on, and for what is not
}

// warn turns a problem that stops nothing into a Warning.
func (p *parser) warn(e *Error) {
	p.file.Warnings = append(p.file.Warnings, Warning{
		Path: e.Path, Server: e.Server, Key: e.Key, Line: e.Line, Text: e.clause(), Hint: e.Hint,
	})
}

func unknownKey(m member, known []string) *Error {
	e := m.at.fail("is not a known key")
	if k := Nearest(m.name, known); k != "" {
		e.hint("did you mean %q?", k)
	}
	return e
}

// strays warns of top-level keys that look like a slip. Others are not our business: the file
// may be the settings of an editor.
func (p *parser) strays() {
	known := []string{"mcpServers", "servers", "inputs", "runtime", "mcp"}
	for _, m := range p.outline.top {
		if e := unknownKey(m, known); e.Hint != "" && !slices.Contains(known, m.name) {
			p.warn(e)
		}
	}
}
