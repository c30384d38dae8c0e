package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A source is a file whose entries have been found, and nothing in them read.
type source struct {
	path    string
	format  string
	dialect dialect
	entries []found

	inputs map[string]input  // what the client would ask for, by what a variable calls it
	off    map[string]string // why a server is switched off, by its name
	only   []string          // the servers that are switched on; nil for all

	// whole says that text holds what belongs to an mcp_config.json and nothing else.
	whole   bool
	data    []byte   // the file
	text    []byte   // JSON; nil for other formats
	recoded bool     // text is not the bytes of the file
	runtime []byte   // the value of "runtime"
	guards  []string // globs of tools that the file switches off at its top, as opencode names them

	excluded []string            // names of tools that the file switches off at its top
	allowed  map[string][]string // names of the only tools that an agent's file lets be called, by server
}

// A found is one entry.
type found struct {
	name   string
	line   int
	value  hujson.Value // an object, if the file is sound
	indent string       // of the line that it begins on

	// Where the entry is in the source's text, if that is JSON.
	text              []byte
	nameStart, nameAt int // the name's first byte, and behind its last

	files  fs.FS // that come with it
	folder string
	told   []string // what a person should know about it
	err    *Note    // why it cannot be served
}

// An input is a value that a client asks its user for.
type input struct {
	env      string // the variable that replaces it
	fallback string
	options  []string
	secret   bool
	many     bool // of several values, which become several arguments
}

// A dialect is what the keys of a format mean where formats differ.
type dialect struct {
	timeout     unit   // of "timeout"; zero: by its size
	starts      bool   // "timeout" bounds the start, not a call
	braces      bool   // {env:NAME} is a variable
	anywhere    bool   // $NAME is a variable at any place
	globs       bool   // the names of tools may be globs
	substitutes bool   // $(COMMAND) is what a command prints
	users       bool   // {{NAME}} is filled in for each user
	folder      string // what ${__dirname} is in the project
}

// open finds out what a file is, and finds its entries.
func open(path string, data []byte, opts Options) (*source, error) {
	if len(data) > MaxSize {
		return nil, &config.Error{Path: path, Err: fmt.Errorf("is larger than %d MiB", MaxSize>>20)}
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return openBundle(path, data)
	}
	text, recoded := fromUTF16(data)
	var src *source
	var err error
	switch format(text) {
	case formatTOML:
		src, err = openTOML(path, bytes.TrimPrefix(text, []byte("\ufeff")))
	case formatYAML:
		src, err = openYAML(path, bytes.TrimPrefix(text, []byte("\ufeff")))
	default:
		src, err = openJSON(path, text, opts)
	}
	if err != nil {
		return nil, err
	}
	src.recoded, src.data = recoded, data
	return src, nil
}

// fromUTF16 returns the text of a file in UTF-16 with a byte order mark, as editors on Windows write
// and read it, in UTF-8; any other as it is.
func fromUTF16(data []byte) (text []byte, recoded bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return data, false
	}
	if len(data)%2 != 0 || len(data) > 4*config.MaxSize {
		return data, false
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return []byte(string(utf16.Decode(units))), true
}

type textFormat int

const (
	formatJSON textFormat = iota
	formatTOML
	formatYAML
)

var (
	tomlLine = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')(\s*\.\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*\s*=|^\s*\[\[?[^\[\],{}:]+\]\]?\s*(#.*)?$`)
	yamlLine = regexp.MustCompile(`^\s*(-\s|([A-Za-z0-9_.$/ -]+|"[^"]*"|'[^']*')\s*:(\s|$)|---)`)
)

// format tells the three notations apart by the first line that is not a comment in TOML and YAML. The
// JSON parser gets everything else, and reports what is wrong.
func format(text []byte) textFormat {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return formatJSON
	}
	comments := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		switch trimmed := bytes.TrimSpace(line); {
		case len(trimmed) == 0:
			continue
		case trimmed[0] == '#':
			comments = true
			continue
		case trimmed[0] == '{', trimmed[0] == '/':
			return formatJSON
		case tomlLine.Match(line):
			return formatTOML
		case yamlLine.Match(line):
			return formatYAML
		default:
			return formatJSON
		}
	}
	if comments {
		return formatYAML // which says that it is empty
	}
	return formatJSON
}

// empty is the error of a file in which there is nothing.
func empty(path string, comments bool) error {
	text := "is empty"
	if comments {
		text += ": it contains only comments"
	}
	return &config.Error{Path: path, Line: 1, Err: errors.New(text), Hint: `a configuration begins with {"mcpServers": {`}
}

// tooLarge is the error of a text that is too large for a configuration.
func tooLarge(path string, text []byte) error {
	if len(text) <= config.MaxSize {
		return nil
	}
	return &config.Error{Path: path, Err: fmt.Errorf("is larger than %d MiB, the limit for a configuration", config.MaxSize>>20)}
}

// refused is the error of a file that is known and cannot be imported.
func refused(path, hint, text string, args ...any) error {
	return &config.Error{Path: path, Err: fmt.Errorf(text, args...), Hint: hint}
}
