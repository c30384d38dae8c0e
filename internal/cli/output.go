package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mcpfunc/mcpfunc/internal/printable"
	"github.com/mcpfunc/mcpfunc/internal/publish"
	"github.com/mcpfunc/mcpfunc/internal/terminal"
)

// printJSON writes v as indented JSON, in which what could steer a terminal is written as \u and four digits.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}

// note prints a line that is neither a result nor an error.
func (e *Env) note(format string, args ...any) {
	if !e.quiet {
		e.complain(format, args...)
	}
}

// complain prints a line that --quiet does not silence: an error that ends nothing, or what belongs to a
// question. What args hold is shown, and steers nothing but what a style has painted.
func (e *Env) complain(format string, args ...any) {
	shown := make([]any, len(args))
	for i, arg := range args {
		if shown[i] = arg; !isPainted(arg) {
			shown[i] = harmless{arg}
		}
	}
	text := fmt.Sprintf(format+"\n", shown...)
	if s, ok := e.Stderr.(*screen); ok {
		_ = s.show(text) // nobody can be told
		return
	}
	_, _ = io.WriteString(e.Stderr, text)
}

// harmless formats a value as its own type does, and escapes what comes of it.
type harmless struct{ value any }

func (h harmless) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, terminal.Text(fmt.Sprintf(fmt.FormatString(f, verb), h.value)))
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
