package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

const (
	// MaxSize bounds a configuration, in bytes. It is written by people; what is larger is another file.
	MaxSize = 1 << 20
	// maxDepth bounds its nesting, of which the deepest key needs seven. The parser recurses, and a
	// stack that overflows cannot be recovered from.
	maxDepth = 64
)

const byteOrderMark = "\ufeff"

// A Document is a file of JSON with comments and trailing commas, parsed and not understood. Offsets in Root are
// offsets in Text.
type Document struct {
	Path  string
	Mark  string // the byte order mark in front of Text, or empty
	Text  []byte
	Root  hujson.Value
	Lines []int // where each line begins
}

// Read checks that data is text of a bearable size and parses it as JSON with comments and
// trailing commas. Every error is an *Error.
func Read(path string, data []byte) (*Document, error) {
	d := &Document{Path: path, Text: data, Lines: []int{0}}
	if text, marked := bytes.CutPrefix(data, []byte(byteOrderMark)); marked {
		d.Mark, d.Text = byteOrderMark, text
	}
	if len(data) > MaxSize {
		return nil, &Error{Path: path, Err: errTooLarge}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is written in UTF-16")}).hint("save it as UTF-8")
	}
	for i, c := range d.Text {
		if c == '\n' {
			d.Lines = append(d.Lines, i+1)
		}
	}
	if i := firstNonText(d.Text); i >= 0 {
		return nil, (&Error{Path: path, Line: d.Line(i), Err: errors.New("is not UTF-8 text")}).hint("this does not seem to be a configuration file")
	}
	if len(bytes.TrimSpace(d.Text)) == 0 {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is empty")}).hint(`a configuration begins with {"mcpServers": {`)
	}
	if onlyComments(d.Text) {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is empty: it contains only comments")}).hint(`a configuration begins with {"mcpServers": {`)
	}
	if i := tooDeep(d.Text); i >= 0 {
		return nil, &Error{Path: path, Line: d.Line(i), Err: fmt.Errorf("is nested more than %d levels deep", maxDepth)}
	}

	// The parser wants every line comment to end in a newline, even the last line of a file.
	source := d.Text
	if source[len(source)-1] != '\n' {
		source = append(source[:len(source):len(source)], '\n')
	}
	root, err := hujson.Parse(source)
	if err != nil {
		return nil, d.syntaxError(err)
	}
	d.Root = root
	if root.Value.Kind() != '{' {
		return nil, &Error{Path: path, Line: d.Line(root.StartOffset), Err: fmt.Errorf("must contain an object, not %s", kind(root))}
	}
	return d, nil
}

var errTooLarge = fmt.Errorf("is larger than %d MiB, the limit for a configuration", MaxSize>>20)

// Line numbers the line that holds an offset, from 1.
func (d *Document) Line(offset int) int {
	return sort.SearchInts(d.Lines, offset+1)
}

// syntaxError puts an error of the parser, which names its place only in its text, into our form.
// Literals stay out of it: one that is malformed may still be a secret.
func (d *Document) syntaxError(err error) *Error {
	var line, column int
	fmt.Sscanf(err.Error(), "hujson: line %d, column %d:", &line, &column)
	e := &Error{Path: d.Path, Line: min(line, d.Line(len(bytes.TrimSpace(d.Text))))}
	cause := errors.Unwrap(err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = errors.New("is not JSON: it ends unexpectedly")
		return e.hint("close the open brace, bracket, quote or comment")
	case cause == nil:
		e.Err = errors.New("is not JSON")
	case strings.HasPrefix(cause.Error(), "invalid literal"):
		e.Err = fmt.Errorf("is not JSON: invalid string, number or word at column %d", column)
		return e.hint(`write a string in double quotes on one line, with \\ for a backslash`)
	default:
		e.Err = fmt.Errorf("is not JSON: %w at column %d", cause, column)
	}
	return e
}

// firstNonText returns the offset of the first byte that no JSON text holds, or -1.
func firstNonText(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// tooDeep returns the offset of the bracket that goes below maxDepth, or -1. It need not be exact
// on text that is no JSON, only safe.
func tooDeep(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return i
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '/':
			if n := CommentLen(text[i:]); n > 0 {
				i += n - 1
			}
		}
	}
	return -1
}

// onlyComments reports whether text holds nothing but comments and blanks.
func onlyComments(text []byte) bool {
	for {
		text = bytes.TrimLeft(text, " \t\r\n")
		n := CommentLen(text)
		if n == 0 {
			return len(text) == 0
		}
		text = text[n:]
	}
}

// CommentLen returns the length of the comment that text begins with, without the newline that
// ends a line comment; zero when it begins with none.
func CommentLen(text []byte) int {
	var end int
	switch {
	case bytes.HasPrefix(text, []byte("//")):
		if end = bytes.IndexByte(text, '\n'); end >= 0 {
			return end
		}
	case bytes.HasPrefix(text, []byte("/*")):
		if end = bytes.Index(text[2:], []byte("*/")); end >= 0 {
			return 2 + end + 2
		}
	default:
		return 0
	}
	return len(text)
}
