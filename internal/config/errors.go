package config

import (
	"fmt"
	"strconv"
	"strings"
)

// An Error says what is wrong with a configuration and where. Every problem that Parse, Load and
// the edits find in a file is one.
type Error struct {
	Path   string // empty when the caller gave none, as the edits do
	Line   int    // from 1; zero when the trouble has no line, as with a file that cannot be read
	Server string // empty outside of the servers object
	Key    string // dotted below the server or the file: "auth.method"; empty if it is about no key
	Err    error  // what is wrong with it: a predicate of Key, or a clause of its own
	Hint   string // the hint, where there is one
}

// Error is one sentence, without the hint:
//
//	mcp_config.json:12: server "git-tools": "args" must be a list of strings
func (e *Error) Error() string {
	return place(e.Path, e.Line, e.Server) + e.clause()
}

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }

// clause is the sentence without its place.
func (e *Error) clause() string {
	if e.Key == "" {
		return e.Err.Error()
	}
	return strconv.Quote(e.Key) + " " + e.Err.Error()
}

// hint attaches a hint.
func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// String is one sentence with its place, without the hint.
func (w Warning) String() string {
	return place(w.Path, w.Line, w.Server) + w.Text
}

// place renders where a problem is, with the colon that ends it.
func place(path string, line int, server string) string {
	var b strings.Builder
	switch {
	case path != "" && line > 0:
		fmt.Fprintf(&b, "%s:%d: ", path, line)
	case path != "":
		fmt.Fprintf(&b, "%s: ", path)
	case line > 0:
		fmt.Fprintf(&b, "line %d: ", line)
	}
	if server != "" {
		fmt.Fprintf(&b, "server %q: ", server)
	}
	return b.String()
}
