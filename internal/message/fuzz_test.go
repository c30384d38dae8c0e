package message

import (
	"bytes"
	"encoding/json"
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
	} {
		f.Add([]byte(in), uint(3))
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
		if err != nil {
			return
		}
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
	})
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
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return nil
	}
	return raw
}
