package printable

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONStaysTheSame(t *testing.T) {
	t.Parallel()
	const text = "ü\u009b\x7f\u202e\U000e0041😀\u2028\ue000"
	encoded, _ := json.Marshal(map[string]string{text: text})
	safe := JSON(encoded)
	var got map[string]string
	if err := json.Unmarshal(safe, &got); err != nil || got[text] != text {
		t.Errorf("%s: %q, %v", safe, got, err)
	}
	for _, r := range string(safe) {
		if !Shown(r) {
			t.Errorf("%U is left in %s", r, safe)
		}
	}
	for _, want := range []string{`\u009b`, `\u007f`, `\u202e`, `\udb40\udc41`, "ü", "😀"} {
		if !strings.Contains(string(safe), want) {
			t.Errorf("%s is missing in %s", want, safe)
		}
	}
	if got := string(JSON([]byte("{\n\t\"a\": 1}"))); got != "{\n\t\"a\": 1}" {
		t.Errorf("%q", got)
	}
	if got := JSON([]byte("\"\x9b\"")); string(got) != `"\ufffd"` {
		t.Errorf("%q", got)
	}
}
