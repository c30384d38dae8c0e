package policy

import (
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

func TestSaysIsWhatTheDigestIsOf(t *testing.T) {
	t.Parallel()
	text := []byte(` { "_meta":{"a":1} , "name" : "x" ,"icons":[],"n":[1, "\u0061,"],"_meta":0, "name":"y","execution":{} } `)
	at := message.Whole(text)
	if got, want := string(Says(text, at)), `{"name" : "x","n":[1, "\u0061,"],"name":"y"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	said := Says(text, at)
	if Digest(said, message.Whole(said)) != Digest(text, at) {
		t.Error("another digest")
	}
}

// Digest tells apart what any reader could tell apart, and nothing else.
func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(text string) string { return Digest([]byte(text), message.Whole([]byte(text))) }
	for a, b := range map[string]string{
		`{"a":1,"b":[{"c":"é"}]}`: ` { "b" : [ {"\u0063":"\u00E9"} ] , "a":1} `,
		`{"_meta":1,"a":"/"}`:     `{"a":"\/","icons":2}`,
	} {
		if digest(a) != digest(b) {
			t.Errorf("%s and %s differ", a, b)
		}
	}
	different := []string{
		`{}`, `{"a":1}`, `{"a":1.0}`, `{"a":"1"}`, `{"a":1,"a":1}`, `{"A":1}`, `{"a":[1]}`, `{"a":{"1":null}}`, `{"a":null}`, `{"a":[]}`, `{"a":{}}`,
		`{"a":[1,2]}`, `{"a":[12]}`, `{"a":[[1],2]}`, `{"a":[[1,2]]}`, `{"a":"1","b":"2"}`, `{"a":"11:b1:2"}`, `{"ab":"2"}`, `{"a":["1","2"]}`, `{"a":["11:2"]}`,
		`{"a":{"_meta":1}}`, `{"a":{"_meta":2}}`, `{"_META":1}`, `{"a":"e\u0301"}`, `{"a":"\u00e9"}`, `{"a":"true"}`, `{"a":true}`,
	}
	seen := map[string]string{}
	for _, text := range different {
		if other := seen[digest(text)]; other != "" {
			t.Errorf("%s and %s are the same", text, other)
		}
		seen[digest(text)] = text
	}
}

func FuzzSays(f *testing.F) {
	f.Add([]byte(`{"name":"x","_meta":{},"icons":[{"a":","}],"description":"\u200b"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := message.Parse(text)
		if err != nil {
			return
		}
		defer m.Free()
		text = m.Bytes()
		at := message.Whole(text)
		if text[at.From] != '{' {
			return
		}
		said := Says(text, at)
		again, err := message.Parse(said)
		if err != nil {
			t.Fatalf("%q of %q: %v", said, text, err)
		}
		defer again.Free()
		if Digest(said, message.Whole(said)) != Digest(text, at) {
			t.Fatalf("%q is another tool than %q", said, text)
		}
	})
}
