// Package importer reads the configurations of MCP clients and registries, and converts them to entries
// for mcp_config.json. It recognizes a file by its contents, never by its name:
//
//   - JSON with comments: Claude Code and Desktop, Cursor, Windsurf, Cline, Roo, Kilo, Kiro, Amazon Q, Copilot,
//     VS Code, dev containers, Zed, Gemini CLI and its extensions, opencode, Crush, Amp, Augment
//   - TOML: Codex
//   - YAML: Goose, Continue, LibreChat, agents of Copilot
//   - the MCP registry's server.json, alone or in an answer of its API
//   - MCP bundles (.mcpb, .dxt) and their manifest.json
//
// One server that cannot be served never stops the others: it is left out with its reason. What had to
// be changed is told as well. Nothing is imported but servers, no value of a variable is looked up,
// and no text of an entry appears in an error except names, commands and paths.
//
// The package reads what it is given, opens no file and no connection, and keeps no state.
package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/configedit"
)

// MaxSize bounds what is read, in bytes: a client's state file holds a history beside its servers, and a
// bundle a program. Everything else is held to config.MaxSize.
const MaxSize = 256 << 20

// Options say what to take of a file.
type Options struct {
	Only string            // the one server to take, by its name in the file; empty for all
	Away bool              // the entries will be written into another file than Config
	As   map[string]string // names to use, by the name in the file, or by "" where only one server is taken
	Dir  string            // the current folder, absolute: whose project counts in a client's state file
	Near fs.FS             // the folder that the file lies in, for a bundle that is unpacked; may be nil
}

// A Result is what was found in a file.
type Result struct {
	Format  string   // what the file is, for people
	Servers []Server // those that can be served, in the order of the file
	LeftOut []Note   // those that cannot, each with its reason
	Changed []Note   // what differs from the file

	// Config is a configuration of these servers. Where the file holds what belongs to an
	// mcp_config.json and nothing else, that is the file itself, but for what had to change.
	Config []byte
	Same   bool // Config is the file, byte for byte, so that a line of the one is that of the other
}

// A Server is an entry that can be written by configedit.AddServer.
type Server struct {
	Name   string // the one to use
	Was    string // the one in the file
	Entry  configedit.Entry
	Parsed config.Server // the entry as config.Parse reads it, without a lookup

	// Files is the program that comes with the entry, to be laid at Folder in the project; nil for none.
	Files  fs.FS
	Folder string
}

// A Note says what was left out, or changed.
type Note struct {
	File   string `json:"-"`
	Line   int    `json:"line,omitempty"`
	Server string `json:"server"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"` // a predicate of the key, or of the server
	Hint   string `json:"hint,omitempty"`
}

// String is one sentence with its place, without the hint.
func (n Note) String() string {
	e := config.Error{Path: n.File, Line: n.Line, Server: n.Server, Key: n.Key, Err: errors.New(n.Text)}
	return e.Error()
}

// err is the note as an error.
func (n Note) err() error {
	return &config.Error{Path: n.File, Line: n.Line, Server: n.Server, Key: n.Key, Err: errors.New(n.Text), Hint: n.Hint}
}

// noteOf is an error of the configuration as a note.
func noteOf(err error) Note {
	if e := (*config.Error)(nil); errors.As(err, &e) {
		return Note{File: e.Path, Line: e.Line, Server: e.Server, Key: e.Key, Text: e.Err.Error(), Hint: e.Hint}
	}
	return Note{Text: err.Error()}
}

// Read finds the servers in data, a file called path. Trouble with the file as a whole is an error, and
// so is a file of which no server can be served; errors are *config.Error.
func Read(path string, data []byte, opts Options) (*Result, error) {
	src, err := open(path, data, opts)
	if err != nil {
		return nil, err
	}
	src.whole = src.whole && !opts.Away && opts.Only == ""
	result, err := convert(src, opts)
	if err != nil && src.whole {
		// What is wrong may be beside the servers, in "inputs", where a client reads no more than it needs.
		src.whole = false
		result, err = convert(src, opts)
	}
	return result, err
}

// convert makes a Result of the entries that were found.
func convert(src *source, opts Options) (*Result, error) {
	r := &run{src: src, opts: opts, result: &Result{Format: src.format}}
	if err := r.convert(); err != nil {
		return nil, err
	}
	if len(r.result.Servers) == 0 {
		return nil, r.nothing()
	}
	var err error
	if r.result.Config, err = r.config(); err != nil {
		return nil, err
	}
	r.result.Same = bytes.Equal(r.result.Config, src.data)
	return r.result, nil
}

// nothing is the error of a file that has no server for us.
func (r *run) nothing() error {
	left := r.result.LeftOut
	switch len(left) {
	case 0:
		return &config.Error{Path: r.src.path, Err: errors.New("is empty: it contains no servers"), Hint: `a configuration begins with {"mcpServers": {`}
	case 1:
		return left[0].err()
	}
	return &NoneError{Path: r.src.path, LeftOut: left}
}

// A NoneError says that a file holds servers, and none that can be served.
type NoneError struct {
	Path    string
	LeftOut []Note
}

func (e *NoneError) Error() string {
	return fmt.Sprintf("%s: cannot serve any of its %d servers", e.Path, len(e.LeftOut))
}
