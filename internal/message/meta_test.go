package message

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is added is there, and nothing else has changed.
func TestMetaIsAdded(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 3*64<<10)
	for in, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"a"}`:                                          `{"params":{"_meta":{"traceparent":"T"}},"jsonrpc":"2.0","id":1,"method":"a"}`,
		` { "jsonrpc":"2.0","id":1,"method":"a"}`:                                        ` {"params":{"_meta":{"traceparent":"T"}}, "jsonrpc":"2.0","id":1,"method":"a"}`,
		`{"jsonrpc":"2.0","id":1,"method":"a","params":{}}`:                              `{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"traceparent":"T"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"a","params":{ }}`:                             `{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"traceparent":"T"} }}`,
		`{"params":{"x":1.0},"id":12345678901234567890,"method":"a"}`:                    `{"params":{"_meta":{"traceparent":"T"},"x":1.0},"id":12345678901234567890,"method":"a"}`,
		`{"id":1,"method":"a","params":{"_meta":{}}}`:                                    `{"id":1,"method":"a","params":{"_meta":{"traceparent":"T"}}}`,
		`{"id":1,"method":"a","params":{"a":[{"_meta":{}}],"_meta": {"b":1}}}`:           `{"id":1,"method":"a","params":{"a":[{"_meta":{}}],"_meta": {"traceparent":"T","b":1}}}`,
		`{"id":1,"method":"a","params":{"a":"` + big + `","_meta":{"b":"` + big + `"}}}`: `{"id":1,"method":"a","params":{"a":"` + big + `","_meta":{"traceparent":"T","b":"` + big + `"}}}`,
		`{"id":1,"method":"a","params":[1]}`:                                             "",
		`{"id":1,"method":"a","params":null}`:                                            "",
		`{"id":1,"method":"a","params":{"_meta":null}}`:                                  "",
		`{"id":1,"method":"a","params":{"_meta":[]}}`:                                    "",
		`{"id":1,"method":"a","params":{"_meta":{}},"params":{}}`:                        "",
		`{"id":1,"method":"a","Params":{}}`:                                              "",
		`{"id":1,"result":{}}`:                                                           "",
	} {
		m, err := Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		added := m.AddMeta("traceparent", []byte(`"T"`))
		if want == "" {
			want = in
		} else if !added {
			t.Errorf("%.80s: not added", in)
		}
		if got := string(m.Bytes()); got != want || m.Len() != len(want) {
			t.Errorf("%.80s: %.200s", in, got)
		}
		if added { // places have moved along
			if m.Splice(Edit{PartID, []byte(`"new"`)}); !json.Valid(m.Bytes()) || !strings.Contains(string(m.Bytes()), `"id":"new"`) {
				t.Errorf("%.80s: spliced to %.200s", in, m.Bytes())
			}
		}
		m.Free()
	}
}

func TestTraceClientAndToolErrorAreFound(t *testing.T) {
	t.Parallel()
	m, err := Parse([]byte(`{"id":1,"method":"tools/call","params":{"_meta":{"traceparent":"00-a","tracestate":"k=v",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"n\u00fc","icons":[{"name":"x"}],"version":"1"}},"arguments":{"traceparent":"no"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Free()
	parent, state := m.TraceContext()
	name, version := m.ClientInfo()
	if parent != "00-a" || state != "k=v" || name != "nü" || version != "1" {
		t.Error(parent, state, name, version)
	}
	m.Splice(Edit{PartTrace, []byte(`"00-longer"`)})
	if got := string(m.Bytes()); strings.Count(got, `"traceparent":"00-longer","tracestate"`) != 1 || !strings.Contains(got, `"arguments":{"traceparent":"no"}`) {
		t.Error(got)
	}
	for text, want := range map[string]bool{
		`{"id":1,"result":{"content":[{"isError":true}],"isError":false}}`:  false,
		`{"id":1,"result":{"content":[],"isError": true }}`:                 true,
		`{"id":1,"result":{"isError":"true"}}`:                              false,
		`{"id":1,"result":{"structuredContent":{"isError":true}}}`:          false,
		`{"id":1,"error":{"code":1,"isError":true}}`:                        false,
		`{"id":1,"result":{"isError":"` + strings.Repeat("x", 9000) + `"}}`: false,
	} {
		m, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if m.ToolError() != want {
			t.Errorf("%.80s: a tool's error: %v", text, !want)
		}
		m.Free()
	}
}
