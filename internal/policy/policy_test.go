package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

func parse(t testing.TB, text string) *message.Message {
	t.Helper()
	m, err := message.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(m.Free)
	return m
}

func request(t testing.TB, method, params string) *message.Message {
	return parse(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a", "a", true}, {"a", "A", false}, {"a", "ab", false},
		{"delete_*", "delete_", true}, {"delete_*", "delete_a/b", true}, {"delete_*", "delete", false}, {"*_all", "delete_all", true},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"a*a", "a", false}, {"a*a", "aa", true}, {"a**b", "ab", true},
		{"?", "é", true}, {"?", "", false}, {"??", "é", false}, {"a?c", "aéc", true}, {"*é", "caf\u00e9", true}, {"*\u00e9", "cafe\u0301", false},
		{"?", "\xff", true}, {"*x", strings.Repeat("x", 10_000), true}, {"*a*a*a*a*a*b", strings.Repeat("a", 2_000), false},
	} {
		if got := Matches(c.glob, c.name); got != c.want {
			t.Errorf("Matches(%q, %.20q) = %v", c.glob, c.name, got)
		}
	}
}

// FuzzGlob compares match with a matcher that is too simple to be wrong.
func FuzzGlob(f *testing.F) {
	f.Add("a*?b", "axxb")
	f.Add("*é?", "caf\xffé ")
	var simple func(glob, name []rune) bool
	simple = func(glob, name []rune) bool {
		if len(glob) == 0 {
			return len(name) == 0
		}
		if glob[0] == '*' {
			return simple(glob[1:], name) || len(name) > 0 && simple(glob, name[1:])
		}
		return len(name) > 0 && (glob[0] == '?' || glob[0] == name[0]) && simple(glob[1:], name[1:])
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if !utf8.ValidString(glob) || !utf8.ValidString(name) || len(glob) > 12 || len(name) > 24 {
			return
		}
		if got, want := Matches(glob, name), simple([]rune(glob), []rune(name)); got != want {
			t.Errorf("Matches(%q, %q) = %v", glob, name, got)
		}
	})
}

// What stays of a list is what was there, byte for byte.
func TestSiftChangesNoOtherByte(t *testing.T) {
	t.Parallel()
	p := New(Options{Tools: Rules{Deny: []string{"no*"}}, Resources: Rules{Allow: []string{"file:///a/*"}}})
	for _, c := range []struct{ name, method, in, want string }{
		{"the first", "tools/list", `{"id":1,"result":{"tools":[{"name":"no"} , {"name":"b"}]}}`, `{"id":1,"result":{"tools":[{"name":"b"}]}}`},
		{"the last", "tools/list", `{"result":{"tools":[ {"name":"a"} , {"name":"no"} ]},"id":1}`, `{"result":{"tools":[ {"name":"a"} ]},"id":1}`},
		{"all", "tools/list", `{"id":1,"result":{"tools":[ {"name":"no"},{"name":"no2"} ],"nextCursor":"x"}}`, `{"id":1,"result":{"tools":[  ],"nextCursor":"x"}}`},
		{"runs", "tools/list", `{"id":1,"result":{"tools":[{"name":"no"},{"name":"no"},{"name":"a"},{"name":"no"},{"name":"no"},{"name":"b"},{"name":"no"}]}}`,
			`{"id":1,"result":{"tools":[{"name":"a"},{"name":"b"}]}}`},
		{"none", "tools/list", `{"id":1,"result":{"tools":[]}}`, `{"id":1,"result":{"tools":[]}}`},
		{"kept as it is", "tools/list", `{"id":1 ,"result":{"tools":[{"name" : "\u0061","n":1.0,"n":1e400,"x":"\u00e9é"},{"name":"no"}],"tools2":[{"name":"no"}]}}`,
			`{"id":1 ,"result":{"tools":[{"name" : "\u0061","n":1.0,"n":1e400,"x":"\u00e9é"}],"tools2":[{"name":"no"}]}}`},
		{"escaped", "tools/list", `{"id":1,"result":{"tools":[{"name":"\u006eo"},{"n\u0061me":"no"},{"name":"a"}]}}`, `{"id":1,"result":{"tools":[{"name":"a"}]}}`},
		{"the list twice", "tools/list", `{"id":1,"result":{"tools":[{"name":"no"}],"Tools":[{"name":"no"}],"\u0074ools":[{"name":"no"},{"name":"a"}]}}`,
			`{"id":1,"result":{"tools":[],"Tools":[],"\u0074ools":[{"name":"a"}]}}`},
		{"the result twice", "tools/list", `{"id":1,"result":{"tools":[{"name":"no"}]},"Result":{"tools":[{"name":"no"}]},"result":{"tools":[{"name":"no"}]}}`,
			`{"id":1,"result":{"tools":[]},"Result":{"tools":[]},"result":{"tools":[]}}`},
		{"beside an error", "tools/list", `{"id":1,"error":{"code":1},"result":{"tools":[{"name":"no"}]}}`, `{"id":1,"error":{"code":1},"result":{"tools":[]}}`},
		{"the name twice", "tools/list", `{"id":1,"result":{"tools":[{"name":"a","name":"no"},{"name":"no","name":"a"},{"name":"a","Name":"no"},{"name":"b"}]}}`,
			`{"id":1,"result":{"tools":[{"name":"b"}]}}`},
		{"no name", "tools/list", `{"id":1,"result":{"tools":[{"title":"x"},{"NAME":"a"},{"name":5},{"name":null},7,null,"no",["name"]]}}`, `{"id":1,"result":{"tools":[]}}`},
		{"another method", "prompts/list", `{"id":1,"result":{"prompts":[{"name":"no"}]}}`, `{"id":1,"result":{"prompts":[{"name":"no"}]}}`},
		{"resources", "resources/list", `{"id":1,"result":{"resources":[{"uri":"file:///b","name":"file:///a/x"},{"uri":"file:///a/x"},{"uri":"file:///a/%2e%2e/b"}]}}`,
			`{"id":1,"result":{"resources":[{"uri":"file:///a/x"}]}}`},
		{"templates", "resources/templates/list", `{"id":1,"result":{"resourceTemplates":[{"uriTemplate":"file:///{p}"},{"uriTemplate":"file:///a/{p}"}]}}`,
			`{"id":1,"result":{"resourceTemplates":[{"uriTemplate":"file:///a/{p}"}]}}`},
		{"no list", "tools/list", `{"id":1,"result":{"tools":{"name":"no"}}}`, `{"id":1,"result":{"tools":{"name":"no"}}}`},
		{"no object", "tools/list", `{"id":1,"result":null}`, `{"id":1,"result":null}`},
	} {
		m := parse(t, `{"jsonrpc":"2.0",`+c.in[1:])
		p.Sift(c.method, m, nil)
		if got, want := string(m.Bytes()), `{"jsonrpc":"2.0",`+c.want[1:]; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

// A large list is cut across the pieces that it lies in, and an id behind it can still be spliced.
func TestSiftOfManyTools(t *testing.T) {
	t.Parallel()
	p := New(Options{Tools: Rules{Allow: []string{"keep_*"}}})
	var all, kept []string
	for i := range 3000 {
		tool := fmt.Sprintf(`{"name":"%s_%d","description":"%s"}`, []string{"keep", "drop", "drop"}[i%3], i, strings.Repeat("d", i%200))
		all = append(all, tool)
		if i%3 == 0 {
			kept = append(kept, tool)
		}
	}
	m := parse(t, `{"jsonrpc":"2.0","result":{"tools":[`+strings.Join(all, ",")+`]},"id":7}`)
	p.Sift("tools/list", m, nil)
	m.Splice(message.Edit{Part: message.PartID, Text: []byte(`"seven"`)})
	if got, want := string(m.Bytes()), `{"jsonrpc":"2.0","result":{"tools":[`+strings.Join(kept, ",")+`]},"id":"seven"}`; got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p := New(Options{
		Tools:     Rules{Allow: []string{"read_*", "del\u0065te"}, Deny: []string{"read_secret*"}},
		Prompts:   Rules{Deny: []string{"draft"}},
		Resources: Rules{Deny: []string{"file:///secret/*", "https://internal*"}},
	})
	for _, c := range []struct{ method, params, want string }{
		{"tools/call", `{"name":"read_file"}`, ""},
		{"tools/call", `{"name":"del\u0065te"}`, ""},
		{"tools/call", `{"name":"read_secret"}`, "-32602 Unknown tool: read_secret"},
		{"tools/call", `{"n\u0061me":"read\u005fsecrets"}`, "-32602 Unknown tool: read_secrets"},
		{"tools/call", `{"name":"Read_file"}`, "-32602 Unknown tool: Read_file"},
		{"tools/call", `{"name":"read_file\u0000"}`, ""}, // another name, which the glob matches
		{"tools/call", `{"name":"write_file"}`, "-32602 Unknown tool: write_file"},
		{"tools/call", `{"name":" read_file"}`, "-32602 Unknown tool:  read_file"},
		{"tools/call", `{"name":["read_file"]}`, "-32602 Unknown tool: "},
		{"tools/call", `["read_file"]`, "-32602 Unknown tool: "},
		{"tools/call", `{}`, "-32602 Unknown tool: "},
		{"Tools/Call", `{"name":"read_file"}`, "-32601 Method not found"},
		{"tools/call ", `{"name":"read_file"}`, "-32601 Method not found"},
		{"tools/run", `{"name":"read_file"}`, "-32601 Method not found"},
		{"tool\u017f/call", `{"name":"write_file"}`, "-32601 Method not found"},
		{"tools/list", `{}`, ""},
		{"vendor/anything", `{"name":"write_file"}`, ""},
		{"ping", `{}`, ""},
		{"prompts/get", `{"name":"draft"}`, "-32602 Unknown prompt: draft"},
		{"prompts/get", `{"name":"final"}`, ""},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"draft"}}`, "-32602 Unknown prompt: draft"},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"final"}}`, ""},
		{"completion/complete", `{"Ref":{"Name":"draft"},"ref":{"type":"ref/prompt","name":"final"}}`, "-32602 Unknown prompt: draft"},
		{"completion/complete", `{"ref":{"type":"ref/resource","uri":"file:///secret/{x}"}}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open/x"}`, ""},
		{"resources/read", `{"uri":"file:///secret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///s%65cret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open/../secret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open/%2e%2E/secret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open\\..\\secret"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"x://a..b/.c"}`, ""},
		{"resources/read", `{"uri":"FILE:///secret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open/.\t./secret/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":" file:///open/x"}`, "-32002 Resource not found"},
		{"resources/read", `{"uri":"file:///open/.. "}`, "-32002 Resource not found"},
		{"resources/subscribe", `{"uri":"file:///secret/x"}`, "-32002 Resource not found"},
		{"resources/unsubscribe", `{"uri":"file:///secret/x"}`, "-32002 Resource not found"},
		{"subscriptions/listen", `{"notifications":{"resourceSubscriptions":["file:///open","file:///secret/x"]}}`, "-32002 Resource not found"},
		{"subscriptions/listen", `{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///open"]}}`, ""},
		{"notifications/cancelled", `{"requestId":1}`, ""},
	} {
		got := ""
		if r := p.Refuse(request(t, c.method, c.params), false); r != nil {
			got = fmt.Sprintf("%d %s", r.Code, r.Text)
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.params, got, c.want)
		}
	}
	notification := parse(t, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"write_file"}}`)
	if p.Refuse(notification, false) == nil {
		t.Error("a call without an id passes")
	}
	if r := p.Refuse(request(t, "resources/read", `{"uri":"file:///secret/x"}`), true); r == nil || r.Code != codeParams {
		t.Errorf("of 2026-07-28: %+v", r)
	}
}

// Where there are no rules for a kind, nothing is said about it.
func TestRulesOfOneKindLeaveTheOthers(t *testing.T) {
	t.Parallel()
	p := New(Options{Tools: Rules{Deny: []string{"x"}}})
	for _, m := range []*message.Message{
		request(t, "prompts/get", `{}`), request(t, "prompts/anything", `{}`), request(t, "resources/read", `{"uri":"file:///../x"}`),
		request(t, "completion/complete", `{}`), request(t, "subscriptions/listen", `{}`),
	} {
		if r := p.Refuse(m, false); r != nil {
			t.Errorf("%s: %s", m.Envelope().Method(), r.Text)
		}
	}
	if New(Options{}) != nil || New(Options{Tools: Rules{Deny: []string{}}}) != nil {
		t.Error("a policy without a rule")
	}
}

func TestAnswerOfARefusal(t *testing.T) {
	t.Parallel()
	m := (&Refusal{Code: codeParams, Text: "Unknown tool: a\"\u2028<b>"}).Answer([]byte(`9007199254740993`))
	defer m.Free()
	want := `{"jsonrpc":"2.0","id":9007199254740993,"error":{"code":-32602,"message":"Unknown tool: a\"\u2028\u003cb\u003e"}}`
	if got := string(m.Bytes()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMutes(t *testing.T) {
	t.Parallel()
	p := New(Options{Resources: Rules{Deny: []string{"file:///secret*"}}})
	for text, want := range map[string]bool{
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///secret"}}`:        true,
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///open"}}`:          false,
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{}}`:                              true,
		`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`:                                     false,
		`{"jsonrpc":"2.0","id":1,"method":"notifications/resources/updated","params":{"uri":"file:///secret"}}`: false,
	} {
		if got := p.Mutes(parse(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// has is what a caller has.
type has struct{ scopes, roles, groups []string }

func (h has) Scope(s string) bool { return slices.Contains(h.scopes, s) }
func (h has) Role(s string) bool  { return slices.Contains(h.roles, s) }
func (h has) Group(s string) bool { return slices.Contains(h.groups, s) }

func TestLacks(t *testing.T) {
	t.Parallel()
	p := New(Options{
		Tools: Rules{Deny: []string{"delete_root"}, Require: []Requirement{
			{Glob: "delete_*", Scopes: []string{"files.write", "files.delete"}},
			{Glob: "delete_user*", Roles: []string{"admin", "owner"}},
			{Glob: "payroll", Groups: []string{"hr"}},
		}},
		Resources: Rules{Require: []Requirement{{Glob: "file:///hr/*", Scopes: []string{"hr"}}}},
		Prompts:   Rules{Require: []Requirement{{Glob: "p", Roles: []string{"r"}}}},
	})
	for _, c := range []struct {
		method, params string
		has            has
		want           string
	}{
		{"tools/call", `{"name":"read"}`, has{}, ""},
		{"tools/call", `{"name":"delete_file"}`, has{}, "scopes files.write files.delete"},
		{"tools/call", `{"name":"d\u0065lete_file"}`, has{scopes: []string{"files.write"}}, "scopes files.delete"},
		{"tools/call", `{"name":"delete_file"}`, has{scopes: []string{"files.delete", "files.write"}}, ""},
		{"tools/call", `{"name":"delete_users"}`, has{scopes: []string{"files.delete", "files.write"}}, "roles admin owner"},
		{"tools/call", `{"name":"delete_users"}`, has{scopes: []string{"files.delete", "files.write"}, roles: []string{"owner"}}, ""},
		{"tools/call", `{"name":"payroll"}`, has{roles: []string{"hr"}}, "groups hr"},
		{"tools/call", `{"name":"payroll"}`, has{groups: []string{"hr"}}, ""},
		{"tools/call", `{"name":"delete_root"}`, has{}, ""}, // it is not there at all
		{"resources/read", `{"uri":"file:///h%72/x"}`, has{}, "scopes hr"},
		{"resources/read", `{"uri":"File:///hr/x"}`, has{}, "scopes hr"},
		{"resources/subscribe", `{"uri":"file:///hr/x"}`, has{}, "scopes hr"},
		{"subscriptions/listen", `{"notifications":{"resourceSubscriptions":["file:///hr/x"]}}`, has{}, "scopes hr"},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"p"}}`, has{}, "roles r"},
		{"tools/list", `{}`, has{}, ""},
	} {
		got := ""
		if l := p.Lacks(request(t, c.method, c.params), c.has); l != nil {
			for what, names := range map[string][]string{"scopes": l.Scopes, "roles": l.Roles, "groups": l.Groups} {
				if names != nil {
					got += what + " " + strings.Join(names, " ")
				}
			}
			if l.Forever() != (l.Roles != nil || l.Groups != nil) {
				t.Errorf("%s: Forever is %v", c.params, l.Forever())
			}
		}
		if got != c.want {
			t.Errorf("%s %s of %v: %q, want %q", c.method, c.params, c.has, got, c.want)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	var deny []string
	for i := range 50 {
		deny = append(deny, fmt.Sprintf("delete_%d", i), fmt.Sprintf("drop_%d_*", i))
	}
	p := New(Options{Tools: Rules{Deny: deny, Require: []Requirement{{Glob: "admin_*", Scopes: []string{"admin"}}}}})
	m := request(b, "tools/call", `{"_meta":{"progressToken":"t"},"name":"echo","arguments":{"message":"`+strings.Repeat("x", 150)+`"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if p.Lacks(m, has{}) != nil || p.Refuse(m, false) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkSift(b *testing.B) {
	p := New(Options{Tools: Rules{Deny: []string{"tool_1?"}}})
	var list []string
	for i := range 40 {
		list = append(list, fmt.Sprintf(`{"name":"tool_%d","description":"%s","inputSchema":{"type":"object"}}`, i, strings.Repeat("d", 200)))
	}
	text := []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(list, ",") + `]}}`)
	b.ReportAllocs()
	for b.Loop() {
		m, err := message.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		p.Sift("tools/list", m, nil)
		m.Free()
	}
}
