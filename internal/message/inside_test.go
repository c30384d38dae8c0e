package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What is inside is what encoding/json finds there, whatever it looks like.
func TestMembersAndElementsAreThoseThatAreThere(t *testing.T) {
	t.Parallel()
	text := []byte(` {"a" : [1, -2.5e3 ,"x\"],[", {"b":[]} ,null,true] ,"\u0061":{}, "":"", "c" : "\\" , "a":7 } `)
	var keys, values []string
	for key, at := range Members(text, Whole(text)) {
		keys = append(keys, key)
		values = append(values, string(text[at.From:at.To]))
	}
	if got, want := strings.Join(keys, "|"), "a|a||c|a"; got != want {
		t.Errorf("keys %q, want %q", got, want)
	}
	if got, want := strings.Join(values, "|"), `[1, -2.5e3 ,"x\"],[", {"b":[]} ,null,true]|{}|""|"\\"|7`; got != want {
		t.Errorf("values %s, want %s", got, want)
	}
	var elements []string
	for _, at := range Members(text, Whole(text)) {
		for e := range Elements(text, at) {
			elements = append(elements, string(text[e.From:e.To]))
		}
	}
	if got, want := strings.Join(elements, "|"), `1|-2.5e3|"x\"],["|{"b":[]}|null|true`; got != want {
		t.Errorf("elements %s, want %s", got, want)
	}
	if s, ok := String(text, Whole([]byte(`5`))); ok {
		t.Errorf("a number is the string %q", s)
	}
}

// A cut takes its bytes out, also across the pieces of a large message, and an edit of what follows
// it still hits its place.
func TestCutLeavesEveryOtherByte(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 40_000, 300_000} {
		var list []string
		for i := range 12 {
			list = append(list, fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat(string(rune('a'+i)), size)))
		}
		text := `{"jsonrpc":"2.0","result":{"list":[` + strings.Join(list, " , ") + `]},"id" : 77 }`
		m, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var spans []Span
		kept := []string{}
		data := m.Bytes()
		for key, result := range Members(data, Whole(data)) {
			if key != "result" {
				continue
			}
			for _, at := range Members(data, result) {
				last, i := Span{}, 0
				for e := range Elements(data, at) {
					if i%3 == 0 || i == 10 {
						kept = append(kept, list[i])
					} else {
						spans = append(spans, Span{last.To, e.To})
					}
					last = e
					i++
				}
			}
		}
		m.Cut(spans)
		m.Splice(Edit{PartID, []byte(`"x"`)})
		want := `{"jsonrpc":"2.0","result":{"list":[` + strings.Join(kept, " , ") + `]},"id" : "x" }`
		if got := string(m.Bytes()); got != want || m.Len() != len(want) {
			t.Errorf("size %d: %d bytes, Len %d, want %d", size, len(got), m.Len(), len(want))
		}
		m.Free()
	}
}

func FuzzInside(f *testing.F) {
	for _, seed := range []string{`{"a":[{"b":"\u0061"},1,"\\\""]}`, ` [ ] `, `{"":{}}`, `-0.1e+5`, `"x"`, "{\"a\"\t:\r\n[1 , 2]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		defer m.Free()
		text := m.Bytes()
		var walk func(at Span)
		walk = func(at Span) {
			value := text[at.From:at.To]
			if !json.Valid(value) {
				t.Fatalf("%q is no value of %q", value, text)
			}
			var members, elements int
			for _, inner := range Members(text, at) {
				walk(inner)
				members++
			}
			for inner := range Elements(text, at) {
				walk(inner)
				elements++
			}
			if value[0] == '[' {
				var list []json.RawMessage
				if json.Unmarshal(value, &list) == nil && len(list) != elements {
					t.Fatalf("%d elements of %q", elements, value)
				}
			}
			if value[0] == '{' && members == 0 && len(bytes.Trim(value[1:len(value)-1], " \t\r\n")) > 0 {
				t.Fatalf("no members of %q", value)
			}
		}
		at := Whole(text)
		if bytes.ContainsFunc(text[at.To:], func(r rune) bool { return !blank(byte(r)) }) {
			t.Fatalf("%q goes on behind %v", text, at)
		}
		walk(at)
	})
}
