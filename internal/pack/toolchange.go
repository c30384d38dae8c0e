package pack

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// A ToolChange is a tool that is not what it was. What a server says of its tools is what a model
// is told: whatever changes in it is worth reading.
type ToolChange struct {
	Name string `json:"name"`
	What string `json:"what"` // added, removed, description, arguments
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`

	Differences []Difference `json:"differences,omitempty"` // of arguments, and of all else that a tool says
}

// A Difference is one place in what a tool says: its JSON before and after, empty for none.
type Difference struct {
	Path string `json:"path"` // as inputSchema.properties.path
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// maxDifferences bounds how many of a tool are told apart; beyond, the whole is one.
const maxDifferences = 50

// toolChanges compares what a server says its tools are.
func toolChanges(before, after []Tool) []ToolChange {
	var list []ToolChange
	index := func(tools []Tool, name string) int {
		return slices.IndexFunc(tools, func(t Tool) bool { return t.Name == name })
	}
	for _, b := range before {
		i := index(after, b.Name)
		if i < 0 {
			list = append(list, ToolChange{Name: b.Name, What: "removed", Was: b.Description})
			continue
		}
		a := after[i]
		described := a.Description != b.Description
		if described {
			list = append(list, ToolChange{Name: b.Name, What: "description", Was: b.Description, Is: a.Description})
		}
		if a.Digest == b.Digest || b.Digest == "" { // written before tools were pinned
			continue
		}
		found := differences(b.Says, a.Says)
		if len(found) > 0 || !described {
			list = append(list, ToolChange{Name: b.Name, What: "arguments", Differences: found})
		}
	}
	for _, a := range after {
		if index(before, a.Name) < 0 {
			list = append(list, ToolChange{Name: a.Name, What: "added", Is: a.Description})
		}
	}
	return list
}

// differences compares all but the descriptions of two tools. Where two readers could take a text for
// different ones, as one key is there twice, the whole is a difference.
func differences(before, after []byte) []Difference {
	b, was := decode(before)
	a, is := decode(after)
	if b == nil || a == nil || !was || !is {
		return []Difference{{Was: string(before), Is: string(after)}}
	}
	delete(b, "description")
	delete(a, "description")
	var found []Difference
	walk("", b, a, &found)
	if len(found) > maxDifferences {
		return []Difference{{Was: string(before), Is: string(after)}}
	}
	return found
}

// decode reads an object, and reports whether it says no more than what was read: neither a key twice.
func decode(text []byte) (object map[string]any, whole bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return nil, false
	}
	return object, keys(text) == count(object)
}

// keys counts the keys of a text, and count those of what was read of it.
func keys(text []byte) (n int) {
	dec := json.NewDecoder(bytes.NewReader(text))
	type level struct{ object, key bool }
	levels := []level{{}}
	for {
		token, err := dec.Token()
		if err != nil {
			return n
		}
		top := &levels[len(levels)-1]
		switch delim, _ := token.(json.Delim); {
		case delim == '}' || delim == ']':
			levels = levels[:len(levels)-1]
			continue
		case top.object && !top.key: // this is a key
			top.key = true
			n++
			continue
		default:
			top.key = false
			if delim != 0 {
				levels = append(levels, level{object: delim == '{'})
			}
		}
	}
}

func count(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, inner := range v {
			n += count(inner)
		}
	case []any:
		for _, inner := range v {
			n += count(inner)
		}
	}
	return n
}

func walk(path string, before, after any, found *[]Difference) {
	b, objects := before.(map[string]any)
	a, too := after.(map[string]any)
	if !objects || !too {
		was, is := encoded(before), encoded(after)
		if was != is {
			*found = append(*found, Difference{path, was, is})
		}
		return
	}
	var names []string
	for name := range b {
		names = append(names, name)
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		inner := name
		if strconv.Quote(name) != `"`+name+`"` {
			inner = strconv.Quote(name)
		}
		if path != "" {
			inner = path + "." + inner
		}
		was, had := b[name]
		is, has := a[name]
		switch {
		case !had:
			*found = append(*found, Difference{inner, "", encoded(is)})
		case !has:
			*found = append(*found, Difference{inner, encoded(was), ""})
		default:
			walk(inner, was, is, found)
		}
	}
}

func encoded(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
