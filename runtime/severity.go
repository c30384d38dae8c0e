package mcpfunc

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/printable"
)

// A severity is a log handler that writes records that need an operator's action to a stream of their own.
// The Functions host files a line by its stream: stdout is information, stderr an error, or a warning
// when "warn" is in the line, in any case.
type severity struct {
	slog.Handler // of the rest; it takes the same levels
	grave        slog.Handler
}

// newSeverity logs JSON lines: warnings and errors to stderr, the others to stdout.
func newSeverity(stdout, stderr io.Writer, level slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	return severity{slog.NewJSONHandler(edited{stdout, harmless}, options), slog.NewJSONHandler(edited{stderr, filed}, options)}
}

func (s severity) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		return s.grave.Handle(ctx, r)
	}
	return s.Handler.Handle(ctx, r)
}

func (s severity) WithAttrs(attrs []slog.Attr) slog.Handler {
	return severity{s.Handler.WithAttrs(attrs), s.grave.WithAttrs(attrs)}
}

func (s severity) WithGroup(name string) slog.Handler {
	return severity{s.Handler.WithGroup(name), s.grave.WithGroup(name)}
}

// An edited is a writer of lines that are edited before.
type edited struct {
	io.Writer
	edit func(line []byte) []byte
}

// Write takes one line, as slog's handlers write them.
func (e edited) Write(line []byte) (int, error) {
	if _, err := e.Writer.Write(e.edit(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// harmless escapes, as JSON may, what could steer a terminal that the log is shown on: slog leaves DEL, the control
// characters above it, and those that turn text around as servers write them.
var harmless = printable.JSON

var (
	isError = []byte(`"level":"ERROR"`)
	warning = regexp.MustCompile(`(?i)warn`)
)

// filed takes care that an error which speaks of a warning is not filed as one: JSON has two ways to write a letter.
func filed(line []byte) []byte {
	if !bytes.Contains(line, isError) {
		return harmless(line)
	}
	return harmless(warning.ReplaceAllFunc(line, func(word []byte) []byte {
		if word[1] == 'A' {
			return slices.Concat(word[:1], []byte(`\u0041`), word[2:])
		}
		return slices.Concat(word[:1], []byte(`\u0061`), word[2:])
	}))
}
