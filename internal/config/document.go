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
	// maxSize bounds a configuration. It is written by people; what is larger is another file.
	maxSize = 1 << 20
	// maxDepth bounds its nesting, of which the deepest key needs seven. The parser recurses, and a
	// stack that overflows cannot be recovered from.
	maxDepth = 64
)

const byteOrderMark = "\ufeff"

// A document is a file as a syntax tree. Offsets in the tree are offsets in text.
type document struct {
	path  string
	bom   bool // text came after a byte order mark
	text  []byte
	root  hujson.Value
	lines []int // where each line begins
}

// read checks that data is text of a bearable size and parses it as JSON with comments and
// trailing commas. Every error is an *Error.
func read(path string, data []byte) (*document, error) {
	d := &document{path: path}
	d.text, d.bom = bytes.CutPrefix(data, []byte(byteOrderMark))
	d.lines = []int{0}
	if len(data) > maxSize {
		return nil, &Error{Path: path, Err: errTooLarge}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is written in UTF-16")}).hint("save it as UTF-8")
	}
	for i, c := range d.text {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if i := firstNonText(d.text); i >= 0 {
		return nil, (&Error{Path: path, Line: d.line(i), Err: errors.New("is not UTF-8 text")}).hint("this does not seem to be a configuration file")
	}
	if len(bytes.TrimSpace(d.text)) == 0 {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is empty")}).hint(`a configuration begins with {"mcpServers": {`)
	}
	if onlyComments(d.text) {
		return nil, (&Error{Path: path, Line: 1, Err: errors.New("is empty: it contains only comments")}).hint(`a configuration begins with {"mcpServers": {`)
	}
	if i := tooDeep(d.text); i >= 0 {
		return nil, &Error{Path: path, Line: d.line(i), Err: fmt.Errorf("is nested more than %d levels deep", maxDepth)}
	}

	// The parser wants every line comment to end in a newline, even the last line of a file.
	source := d.text
	if source[len(source)-1] != '\n' {
		source = append(source[:len(source):len(source)], '\n')
	}
	root, err := hujson.Parse(source)
	if err != nil {
		return nil, d.syntaxError(err)
	}
	d.root = root
	if root.Value.Kind() != '{' {
		return nil, &Error{Path: path, Line: d.line(root.StartOffset), Err: fmt.Errorf("must contain an object, not %s", kind(root))}
	}
	return d, nil
}

var errTooLarge = fmt.Errorf("is larger than %d MiB, the limit for a configuration", maxSize>>20)

// line numbers the line that holds an offset, from 1.
func (d *document) line(offset int) int {
	return sort.SearchInts(d.lines, offset+1)
}

// syntaxError puts an error of the parser, which names its place only in its text, into our form.
// Literals stay out of it: one that is malformed may still be a secret.
func (d *document) syntaxError(err error) *Error {
	var line, column int
	fmt.Sscanf(err.Error(), "hujson: line %d, column %d:", &line, &column)
	e := &Error{Path: d.path, Line: min(line, d.line(len(bytes.TrimSpace(d.text))))}
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
