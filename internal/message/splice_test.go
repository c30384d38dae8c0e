package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

func TestSpliceChangesNothingElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		edits    []Edit
	}{
		{`{"id":1,"method":"a"}`, `{"id":"long id","method":"a"}`, []Edit{{PartID, []byte(`"long id"`)}}},
		{`{"id":"abc", "result" : {}}`, `{"id":7, "result" : {}}`, []Edit{{PartID, []byte(`7`)}}},
		{`{"method":"a","params":{"_meta":{"progressToken":"t"},"x":1.0},"id":12}`,
			`{"method":"a","params":{"_meta":{"progressToken":34},"x":1.0},"id":5}`,
			[]Edit{{PartID, []byte(`5`)}, {PartToken, []byte(`34`)}}},
		{`{"method":"a","params":{},"id":12}`, `{"method":"a","params":{},"id":5}`,
			[]Edit{{PartID, []byte(`5`)}, {PartToken, []byte(`34`)}}}, // no token, no edit
		{`{"method":"p","params":{"progressToken":34}}`, `{"method":"p","params":{"progressToken":"t"}}`,
			[]Edit{{PartProgress, []byte(`"t"`)}}},
		{`{"method":"n","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}`,
			`{"method":"n","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}}`,
			[]Edit{{PartSubscription, []byte(`"s"`)}}},
		{`{"id":3,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":3},"a":[3]}}`,
			`{"id":"s","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"a":[3]}}`,
			[]Edit{{PartID, []byte(`"s"`)}, {PartClosing, []byte(`"s"`)}}},
		{`{"method":"c","params":{"requestId":-1e3,"reason":"x"}}`, `{"method":"c","params":{"requestId":9,"reason":"x"}}`,
			[]Edit{{PartCancels, []byte(`9`)}}},
	} {
		m, err := Parse([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		m.Splice(tt.edits...)
		if got := string(m.Bytes()); got != tt.want || m.Len() != len(tt.want) {
			t.Errorf("%s became %s (%d bytes), want %s", tt.in, got, m.Len(), tt.want)
		}
		m.Free()
	}
}

// The id is at every place near a border between pieces, and grows and shrinks.
func TestSpliceCrossesPieces(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("i", MaxMember-2) + `"`
	for _, old := range []string{"1", `"0123456789"`, long} {
		for _, id := range []string{"7", `"another id, and a longer one"`, long} {
			for before := bufpool.Size - len(old) - 20; before < bufpool.Size+3; before += 1 + len(old)/40 {
				head := `{"a":"` + strings.Repeat("x", before-13) + `","id":`
				tail := `,"result":"` + strings.Repeat("y", bufpool.Size) + `"}`
				m := New(nil)
				if err := m.Fill(iotest.DataErrReader(strings.NewReader(head+old+tail)).Read, 1<<20); err != nil {
					t.Fatal(err)
				}
				m.Splice(Edit{PartID, []byte(id)})
				if want := head + id + tail; string(m.Bytes()) != want || m.Len() != len(want) {
					t.Fatalf("an id of %d bytes for one of %d at %d: wrong", len(id), len(old), before)
				}
				m.Free()
			}
		}
	}
}

func TestModernMembersAreFound(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0062\"c","uri":"x:\/y","_meta":` +
		`{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/logLevel":"debug"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	version, _ := m.ProtocolVersion()
	name, _ := m.Name()
	uri, _ := m.URI()
	got := fmt.Sprintln(m.Envelope().Modern(), m.Envelope().WantsLog(), m.Envelope().Ambiguous(), version, name, uri)
	if want := `true true false 2026-07-28 ab"c x:/y` + "\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for in, want := range map[string]int{
		`{"id":1,"error":{"message":"m","code":-32601}}`: -32601,
		`{"id":1,"error":{"code":1.5}}`:                  0,
		`{"id":1,"error":{"code":"-32601"}}`:             0,
		`{"id":1,"error":{"data":{"code":3}}}`:           0,
		`{"id":1,"error":{"code":1},"error":{}}`:         0,
		`{"id":1,"result":{"code":3}}`:                   0,
	} {
		m, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.ErrorCode(); got != want {
			t.Errorf("%s: code %d, want %d", in, got, want)
		}
	}
}

func TestPlacesMoveWithTheBytes(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(`{"id":1,"error":{"code":-32602}}`))
	if err != nil {
		t.Fatal(err)
	}
	m.Splice(Edit{PartID, []byte(`"a longer id"`)})
	if got := m.ErrorCode(); got != -32602 {
		t.Errorf("code %d", got)
	}
	m.Splice(Edit{PartID, []byte(`2`)})
	if got := string(m.Bytes()); got != `{"id":2,"error":{"code":-32602}}` {
		t.Errorf("a second splice made it %s", got)
	}
}

func TestAmbiguousKeysAreSeen(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`{"id":1,"method":"a","params":{"name":"x","arguments":{"ID":1,"name":1,"Name":1}}}`: false,
		`{"id":1,"method":"a","id":2}`:                                                   true,
		`{"id":1,"method":"a","Id":2}`:                                                   true,
		`{"id":1,"method":"a","params":{},"param\u017f":{}}`:                             true, // long s, which Go folds
		`{"id":1,"method":"a","params":{"_meta":{},"_metaa":{},"names":1,"ur":1}}`:       false,
		`{"id":1,"METHOD":"a","method":"b"}`:                                             true,
		`{"id":1,"method":"a","params":{},"params":{}}`:                                  true,
		`{"id":1,"method":"a","params":{"_meta":{},"_META":{}}}`:                         true,
		`{"id":1,"method":"a","params":{"name":"x","na\u006de":"y"}}`:                    true,
		`{"id":1,"method":"a","params":{"_meta":{"progressToken":1,"progresstoken":1}}}`: true,
	} {
		m, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Envelope().Ambiguous(); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// FuzzSplice holds the places against encoding/json: after a splice the member has the new value,
// and every other is what it was.
func FuzzSplice(f *testing.F) {
	for _, in := range []string{
		small200, `{"id":"\u0069","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}`,
		` { "id" : -1.5e7 , "method":"x"}`, `{"params":{"requestId":3,"progressToken":"p"},"id":1,"method":"a"}`,
	} {
		f.Add([]byte(in), uint(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint) {
		m := New(nil)
		defer m.Free()
		for rest := in; len(rest) > 0; {
			n := min(len(rest), int(cut%11)+1)
			if m.Append(rest[:n]) != nil {
				return
			}
			rest = rest[n:]
		}
		if m.End() != nil || m.Kind() != Request {
			return
		}
		before := m.Bytes()
		m.Splice(Edit{PartID, []byte(`"new id"`)}, Edit{PartToken, []byte(`77`)})
		var was, is struct {
			ID     json.RawMessage `json:"id"`
			Method json.RawMessage `json:"method"`
		}
		after := m.Bytes()
		if !json.Valid(after) || len(after) != m.Len() {
			t.Fatalf("%s became %s", before, after)
		}
		if m.Envelope().Ambiguous() || json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
			return
		}
		if string(is.ID) != `"new id"` || !bytes.Equal(is.Method, was.Method) {
			t.Fatalf("%s became %s", before, after)
		}
	})
}
