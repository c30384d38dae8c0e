package wire

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestMatchesStopsAtTheFirstWrongByte(t *testing.T) {
	t.Parallel()
	const size = 3*period + 17
	whole := Plain.Append(nil, size)
	for _, at := range []int{0, 1, period - 1, period, 2*period + 5} {
		if got, want := Plain.Matches(at, whole[at:]), size-at; got != want {
			t.Errorf("from %d: %d bytes are right, want %d", at, got, want)
		}
		for _, wrong := range []int{at, at + 1, at + period, size - 1} {
			damaged := bytes.Clone(whole)
			damaged[wrong] = '!'
			if got, want := Plain.Matches(at, damaged[at:]), wrong-at; got != want {
				t.Errorf("from %d with a wrong byte at %d: %d bytes are right, want %d", at, wrong, got, want)
			}
		}
	}
	if got := Plain.Matches(0, whole[1:]); got == size-1 {
		t.Error("a lost byte is not seen")
	}
}

// Relays write members in another order and with blanks.
func TestParseFindsMembersInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a\"b\\","size":12},"_meta":{"progressToken":"t"}}}`,
		`{"method": "tools/call", "params": {"_meta": {"progressToken": "t"}, "arguments": {"size": 12, "text": "a\"b\\"}, "name": "echo"}, "jsonrpc": "2.0", "id": 7}`,
	} {
		m := Parse([]byte(text))
		if string(m.ID) != "7" || string(m.Method) != "tools/call" || string(m.Tool) != "echo" ||
			string(m.Text) != `a\"b\\` || m.Size != 12 || string(m.Token) != `"t"` || m.Failed {
			t.Errorf("%s\ngot %+v", text, m)
		}
	}
}

// What is in a string must be JSON there, at every size that is asked for.
func TestPatternsAreStringsOfJSON(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Plain, JSON, Lines} {
		for _, size := range []int{64, 64 << 10, 1 << 20} {
			text := kind.Append(nil, size)
			if len(text) != size || kind.Matches(0, text) != size || !json.Valid([]byte(`"`+string(text)+`"`)) {
				t.Errorf("kind %q: %d bytes of %d, beginning with %.80q", kind, len(text), size, text)
			}
		}
	}
}
