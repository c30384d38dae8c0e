package authn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON that others wrote. Real claims nest three deep.
const maxDepth = 16

// decodeObject reads one JSON object, with numbers as json.Number, and is strict where
// encoding/json is lenient: a name may occur once in an object, the text must be UTF-8, nesting is
// bounded. Two readers of a token must not be able to see two different tokens.
//
// The size of data is the caller's to bound.
func decodeObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("text after the JSON object")
	}
	return object, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	switch token {
	case json.Delim('{'):
		object := make(map[string]any)
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, fmt.Errorf("not JSON: %w", err)
			}
			key := name.(string) // the decoder accepts nothing else here
			if _, ok := object[key]; ok {
				return nil, fmt.Errorf("%s is repeated", printable(key))
			}
			if object[key], err = decodeValue(dec, depth+1); err != nil {
				return nil, err
			}
		}
		return object, end(dec)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := decodeValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, end(dec)
	}
	return token, nil
}

func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}

// refuseVariants refuses names that differ from a known one in case only. Go, JavaScript and .NET
// readers disagree on whether "Exp" is "exp", so a token that has one means to be read in two ways.
func refuseVariants(object map[string]any, known []string) error {
	for name := range object {
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return fmt.Errorf("%s is %s in another case", printable(name), k)
			}
		}
	}
	return nil
}

// printable quotes what a stranger wrote, cut to a length that a log line bears.
func printable(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
