package message

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzScan holds the scanner against encoding/json: the same inputs are JSON, and of an object both
// see the same members, however the bytes are cut into pieces.
func FuzzScan(f *testing.F) {
	for _, in := range []string{
		small200, `{"id":1,"result":[1.5e-7,true,null,{"a":{}}]}`, `{"\u0069d":"\ud83d\ude00","method":"x"}`,
		`[{"id":1,"method":"a"},[]]`, `{"id":1,"id":"2","error":{"code":-32603}}`, ` {"method":"a","params":{"_meta":null}} `,
		`{"params":{"requestId":3,"progressToken":"p","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}}`,
		"{\"a\":\"\x80\"}", "{\"id\":\"\x96\",\"method\":\"\x96\"}", `-0`, `0e1`, `{"a":1`, `"\u`,
		`{"a":"` + strings.Repeat(`{\"name\":\"value\"},\n`, 9) + `\\\\\u00e9\/","id":12,"method":"b","c":[1,22,true,false,null,"x"]}`,
		`{"id":"` + strings.Repeat("long ", 30) + `\t","method":"` + strings.Repeat("é", 50) + `"}`,
	} {
		f.Add([]byte(in), uint(3))
	}
	for _, in := range everyNull() {
		f.Add([]byte(in), uint(5))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint) {
		m := New(nil)
		defer m.Free()
		var err error
		for rest := in; err == nil && len(rest) > 0; {
			n := min(len(rest), int(cut%11)+1)
			err = m.Append(rest[:n])
			rest = rest[n:]
		}
		if err == nil {
			err = m.End()
		}
		if valid := json.Valid(in); valid != (err == nil) {
			if valid && len(in) > MaxMember { // a member over our bound
				return
			}
			t.Fatalf("json.Valid says %v, the scanner %v", valid, err)
		}
		whole, wholeErr := Parse(in) // most of it is read in another way where nothing is cut
		if (wholeErr == nil) != (err == nil) {
			t.Fatalf("in pieces the scanner says %v, of the whole %v", err, wholeErr)
		}
		if err != nil {
			return
		}
		defer whole.Free()
		sameEnvelope(t, whole.Envelope(), m.Envelope())
		if !m.scan.Newlines() && !bytes.Equal(m.Bytes(), in) {
			t.Fatal("bytes changed")
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(in, &members) != nil || members == nil {
			return
		}
		e := m.Envelope()
		same(t, "id", e.ID(), scalar(members["id"]))
		params := object(members["params"])
		meta := object(params["_meta"])
		same(t, "progress token", e.ProgressToken(), scalar(meta["progressToken"]))
		same(t, "progress", e.ProgressOf(), scalar(params["progressToken"]))
		same(t, "cancelled", e.Cancels(), scalar(params["requestId"]))
		same(t, "task", e.TaskOf(), scalar(params["taskId"]))
		same(t, "related task", e.RelatedTask(), scalar(object(meta["io.modelcontextprotocol/related-task"])["taskId"]))
		var method string
		if json.Unmarshal(members["method"], &method) == nil && e.Kind() == Request && e.Method() != method {
			t.Errorf("method %q, want %q", e.Method(), method)
		}
		if e.IsError() != (given(members["error"])) {
			t.Errorf("is an error: %t, of %s", e.IsError(), in)
		}
		if e.Modern() != given(meta["io.modelcontextprotocol/protocolVersion"]) {
			t.Errorf("names its version: %t, of %s", e.Modern(), in)
		}
		if want := kindOf(members); e.Kind() != want {
			t.Errorf("%s, want %s, of %s", e.Kind(), want, in)
		}
	})
}

// sameEnvelope holds what was found in a message that came whole to what was found in it piece by piece.
func sameEnvelope(t *testing.T, got, want *Envelope) {
	t.Helper()
	if got.seen != want.seen || got.Kind() != want.Kind() || got.Ambiguous() != want.Ambiguous() {
		t.Errorf("of the whole: %v, %v, %t; in pieces: %v, %v, %t", got.seen, got.Kind(), got.Ambiguous(), want.seen, want.Kind(), want.Ambiguous())
	}
	for m := none + 1; m < members; m++ {
		if kept[m] {
			same(t, m.String(), got.of(m), want.of(m))
		}
		if m < placed && want.seen[m] != absent && got.places[m] != want.places[m] {
			t.Errorf("%s is at %v of the whole, at %v in pieces", m, got.places[m], want.places[m])
		}
	}
}

// given reports whether a member is there and not null.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(bytes.TrimSpace(raw)) != "null" }

// kindOf says what a message is, where null is absence for all members but a result.
func kindOf(members map[string]json.RawMessage) Kind {
	first := func(name string) byte {
		if raw := bytes.TrimSpace(members[name]); given(raw) {
			return raw[0]
		}
		return 0
	}
	id, method := first("id"), first("method")
	usable := id == '"' || id == '-' || '0' <= id && id <= '9'
	switch {
	case method == '"' && id == 0:
		return Notification
	case method == '"' && usable:
		return Request
	case method == 0 && usable && (len(members["result"]) > 0 || first("error") != 0):
		return Response
	}
	return Invalid
}

// everyNull returns messages as serializers write them that leave no member out.
func everyNull() []string {
	return []string{
		`{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{},"error":null}`,
		`{"jsonrpc":"2.0","id":"1","method":null,"params":null,"result":null,"error":{"code":1,"message":"","data":null}}`,
		`{"jsonrpc":"2.0","id":1,"result":null,"error":null}`,
		`{"jsonrpc":"2.0","id":null,"method":"a","params":null,"result":null,"error":null}`,
		`{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"progressToken":null,"io.modelcontextprotocol/protocolVersion":null,` +
			`"io.modelcontextprotocol/related-task":null},"requestId":null,"progressToken":null,"taskId":null},"result":null}`,
		`{"jsonrpc":"2.0","id":null,"method":null,"params":null,"result":null,"error":null}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse"}}`,
	}
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func object(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

func scalar(raw json.RawMessage) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" || raw[0] == '{' || raw[0] == '[' {
		return nil
	}
	return raw
}
