package cli

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/term"

	"github.com/mcpfunc/mcpfunc/internal/terminal"
)

// isTerminal reports whether w is a file that a person is in front of.
func isTerminal(w any) bool {
	if s, ok := w.(*screen); ok {
		return s.tty
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A style colours words, or leaves them as they are.
type style struct{ on bool }

// styleFor returns the style for text that goes to w.
func styleFor(env *Env, w io.Writer) style {
	noColor, _ := env.lookup("NO_COLOR")
	return style{on: noColor == "" && takesEscapes(env, w)}
}

// takesEscapes reports whether w is a terminal that understands escape sequences.
func takesEscapes(env *Env, w io.Writer) bool {
	if term, _ := env.lookup("TERM"); term == "dumb" || !isTerminal(w) {
		return false
	}
	// The old Windows console shows escape sequences as they are; Windows Terminal says who it is.
	_, modern := env.lookup("WT_SESSION")
	return runtime.GOOS != "windows" || modern
}

// A painted text may hold escape sequences, which are of a style and of nobody else.
type painted string

func isPainted(v any) bool {
	_, ok := v.(painted)
	return ok
}

func (s style) bold(text string) painted  { return s.paint("1", text) }
func (s style) dim(text string) painted   { return s.paint("2", text) }
func (s style) red(text string) painted   { return s.paint("31", text) }
func (s style) green(text string) painted { return s.paint("32", text) }
func (s style) cyan(text string) painted  { return s.paint("36", text) }

func (s style) paint(code, text string) painted {
	text = terminal.Text(text)
	if !s.on {
		return painted(text)
	}
	return painted("\x1b[" + code + "m" + text + "\x1b[0m")
}
