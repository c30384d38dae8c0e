package config

import "github.com/tailscale/hujson"

// A Source is a file of JSON with comments and trailing commas, parsed and not understood. Offsets in
// Root are offsets in Text.
type Source struct {
	Text []byte // without a byte order mark
	Root hujson.Value
	Line func(offset int) int // numbers the line that holds an offset, from 1
}

// ReadSource parses a file under the limits that Parse has. Errors are *Error, and the same.
func ReadSource(path string, data []byte) (*Source, error) {
	d, err := read(path, data)
	if err != nil {
		return nil, err
	}
	return &Source{Text: d.text, Root: d.root, Line: d.line}, nil
}

// MaxSize bounds a configuration, in bytes.
const MaxSize = maxSize
