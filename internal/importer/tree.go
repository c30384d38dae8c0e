package importer

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// maxDepth bounds how deep an entry nests, as config has it.
const maxDepth = 64

// A pair is a member of an object that comes from another notation than JSON. An object is []pair, a
// list []any, and everything else a string, bool, number or nil.
type pair struct {
	name  string
	value any
}

// written is a value as JSON that a person would write: an object's members on lines of their own, and
// a list on one.
func written(v any) (hujson.Value, error) {
	var b strings.Builder
	if err := write(&b, v, "", 0); err != nil {
		return hujson.Value{}, err
	}
	return hujson.Parse([]byte(b.String()))
}

func write(b *strings.Builder, v any, indent string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case string:
		b.WriteString(string(hujson.String(v)))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case json.Number:
		b.WriteString(v.String())
	case []any:
		b.WriteString("[")
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := write(b, e, indent, depth+1); err != nil {
				return err
			}
		}
		b.WriteString("]")
	case []pair:
		if len(v) == 0 {
			b.WriteString("{}")
			return nil
		}
		inner := indent + "  "
		b.WriteString("{")
		for i, p := range v {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString("\n" + inner + string(hujson.String(p.name)) + ": ")
			if err := write(b, p.value, inner, depth+1); err != nil {
				return err
			}
		}
		b.WriteString("\n" + indent + "}")
	default:
		return fmt.Errorf("contains a value of an unknown type")
	}
	return nil
}

// lookup returns the value below a path of names, or nil.
func lookup(v any, path ...string) any {
	for _, name := range path {
		members, ok := v.([]pair)
		if !ok {
			return nil
		}
		v = nil
		for _, p := range members {
			if p.name == name {
				v = p.value
			}
		}
	}
	return v
}

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, err == nil
}

// number is a number as JSON has it; text for one that JSON does not have.
func number(f float64) any {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return fmt.Sprint(f)
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

// add adds a server of another notation than JSON.
func (s *source) add(name string, line int, v any) error {
	value, err := written(v)
	if err != nil {
		return &config.Error{Path: s.path, Line: line, Server: name, Err: err}
	}
	s.entries = append(s.entries, found{name: name, line: line, value: value})
	return nil
}

// addNamed adds a server of a list, whose name is in it.
func (s *source) addNamed(i, line int, v any) error {
	name, _ := lookup(v, "name").(string)
	if name == "" {
		name = unnamed(i)
	}
	return s.add(name, line, v)
}

// unnamed stands for the name of a server that has none.
func unnamed(i int) string { return "#" + strconv.Itoa(i+1) }
