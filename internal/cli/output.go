package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mcpfunc/mcpfunc/internal/publish"
)

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// note prints a line that is neither a result nor an error.
func (e *Env) note(format string, args ...any) {
	if !e.quiet {
		e.complain(format, args...)
	}
}

// complain prints a line that --quiet does not silence: an error that ends nothing, or what belongs to a
// question.
func (e *Env) complain(format string, args ...any) {
	fmt.Fprintf(e.Stderr, format+"\n", args...)
}

// debug prints what only --verbose wants to know. Nobody passes it a secret: no header, no value of
// a variable, no query of a URL.
func (e *Env) debug(format string, args ...any) {
	if e.verbose {
		e.complain("%s", styleFor(e, e.Stderr).dim("debug: "+oneLine(fmt.Sprintf(format, args...))))
	}
}

// commandLine is a command as a person would type it into a POSIX shell.
func commandLine(name string, args []string) string { return publish.CommandLine(name, args) }
