package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// FuzzSift holds for whatever a server lists: what is left is JSON, no reader finds a name in it that is denied,
// every tool that is left is as the server wrote it, and there is nothing more to take out.
func FuzzSift(f *testing.F) {
	f.Add([]byte(`[{"name":"drop"},{"name":"read","x":[1]} , {"n\u0061me":"dr\u006fp"}]`))
	f.Add([]byte(`[{"name":"read","Name":"drop"},{"name":"drop","name":"read"},7,null,[]]`))
	f.Add([]byte(`[],"Tools":[{"name":"drop"}],"tools":[{"name":"read"},{"name":"drop"}]`))
	f.Add([]byte(`[{"name":"read"}]},"result":{"tools":[{"name":"drop"}]`))
	p := New(Options{Tools: Rules{Allow: []string{"r*", "d*"}, Deny: []string{"drop*"}}})
	f.Fuzz(func(t *testing.T, list []byte) {
		m, err := message.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":` + string(list) + `}}`))
		if err != nil || m.Kind() != message.Response {
			return
		}
		defer m.Free()
		before := m.Bytes()
		p.Sift("tools/list", m, nil)
		after := m.Bytes()
		if !json.Valid(after) {
			t.Fatalf("%q of %q is no JSON", after, before)
		}
		var loose struct {
			Result struct{ Tools []json.RawMessage }
		} // a reader that does not mind case, and takes the last
		if json.Unmarshal(after, &loose) == nil {
			for _, tool := range loose.Result.Tools {
				var named struct{ Name string }
				if json.Unmarshal(tool, &named) == nil && strings.HasPrefix(named.Name, "drop") {
					t.Fatalf("%q has %q", after, named.Name)
				}
				if !strings.Contains(string(before), string(tool)) {
					t.Fatalf("%q is not of the server: %q", tool, before)
				}
			}
		}
		again, err := message.Parse(after)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Free()
		p.Sift("tools/list", again, nil)
		if string(again.Bytes()) != string(after) {
			t.Fatalf("%q became %q", after, again.Bytes())
		}
	})
}
