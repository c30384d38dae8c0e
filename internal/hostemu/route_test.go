package hostemu

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplatesMatchAsASPNETDoes(t *testing.T) {
	t.Parallel()
	type values = map[string]string
	tests := []struct {
		template, path string
		want           values // nil: no match
	}{
		{"", "/", values{}},
		{"", "/a", nil},
		{"api/mcp", "/API/Mcp", values{}},
		{"api/mcp", "/api/mcp/", values{}},
		{"api/mcp", "/api/mcp/x", nil},
		{"api/mcp", "/api", nil},
		{"mcp/{*path}", "/mcp", values{"path": ""}},
		{"mcp/{*path}", "/mcp/a/b%20c", values{"path": "a/b c"}},
		{"{*route}", "/", values{"route": ""}},
		{"{**route}", "/a", values{"route": "a"}},
		{"mcp/{server}", "/mcp/one", values{"server": "one"}},
		{"mcp/{server}", "/mcp/a%2Fb", values{"server": "a%2Fb"}},
		{"mcp/{server}", "/mcp", nil},
		{"mcp/{server}", "/mcp//x", nil},
		{"mcp/{server?}", "/mcp", values{}},
		{"mcp/{server?}", "/mcp/one", values{"server": "one"}},
		{"mcp/{server=main}", "/mcp", values{"server": "main"}},
		{"n/{id:int}", "/n/-12", values{"id": "-12"}},
		{"n/{id:int}", "/n/x", nil},
		{"n/{id:int:maxlength(2)}", "/n/123", nil},
		{"n/{id:long}", "/n/99999999999", values{"id": "99999999999"}},
		{"n/{id:alpha}", "/n/aZ", values{"id": "aZ"}},
		{"n/{id:alpha}", "/n/a1", nil},
		{"n/{id:bool}", "/n/True", values{"id": "True"}},
		{"n/{id:guid}", "/n/6f9619ff-8b86-d011-b42d-00cf4fc964ff", values{"id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}},
		{"n/{id:guid}", "/n/6f9619ff", nil},
		{"n/{id:int?}", "/n", values{}},
		{".well-known/oauth-protected-resource/{*rest}", "/.well-known/oauth-protected-resource/api/mcp", values{"rest": "api/mcp"}},
	}
	for _, test := range tests {
		parsed, err := parseTemplate(test.template)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		path, ok := decodePath(test.path)
		if !ok {
			t.Errorf("%s cannot be decoded", test.path)
		}
		got, ok := parsed.match(path)
		if ok != (test.want != nil) {
			t.Errorf("%s on %s: match is %v", test.template, test.path, ok)
			continue
		}
		if diff := cmp.Diff(test.want, got); ok && diff != "" {
			t.Errorf("%s on %s: %s", test.template, test.path, diff)
		}
	}
}

func TestOneFunctionThatSwallowsAllIsAskedByItsName(t *testing.T) {
	t.Parallel()
	app, err := Load(project(t, map[string]string{
		"host.json":         hostJSON(""),
		"all/function.json": proxyFunction,
		"mcp/function.json": strings.Replace(proxyFunction, "{*path}", "api/mcp", 1),
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f, _, _ := app.match(http.MethodPost, "/api/mcp"); f.Name != "all" {
		t.Errorf("/api/mcp goes to %q: the more specific route wins", f.Name)
	}
}

func TestDotSegmentsAreGoneBeforeAnybodyLooks(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/a/b": "/a/b", "/a/./b": "/a/b", "/a/../b": "/b", "/../../a": "/a", "/a/%2e%2E/b/": "/b/", "/a/..": "/", "/.well-known/x": "/.well-known/x",
		"/a%2Fb/..": "/", "/": "/", "/a/...": "/a/...",
	} {
		if got, ok := decodePath(path); got != want || !ok {
			t.Errorf("%s becomes %s, %v, want %s", path, got, ok, want)
		}
	}
	for _, path := range []string{"/%00", "/a/../%00"} {
		if got, ok := decodePath(path); ok {
			t.Errorf("%s becomes %q", path, got)
		}
	}
}

func TestKeysOpenWhatTheyShould(t *testing.T) {
	t.Parallel()
	keys := Keys{
		Master:   "m",
		Host:     map[string]string{"default": "h"},
		Function: map[string]map[string]string{"one": {"default": "f"}, "two": {"default": "g"}},
	}
	tests := []struct {
		level, header, query string
		want                 bool
	}{
		{"anonymous", "", "", true},
		{"anonymous", "wrong", "", true},
		{"function", "", "", false},
		{"function", "f", "", true},
		{"function", "g", "", false}, // another function's
		{"function", "h", "", true},
		{"function", "m", "", true},
		{"function", "", "f", true},
		{"function", "wrong", "f", false}, // the header wins
		{"function", "f", "wrong", true},
		{"admin", "f", "", false},
		{"admin", "h", "", false},
		{"admin", "m", "", true},
	}
	for _, test := range tests {
		r, err := http.NewRequest(http.MethodGet, "http://x/?code="+test.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.header != "" {
			r.Header.Set("x-functions-key", test.header)
		}
		if got := keys.admits(r, Function{Name: "one", AuthLevel: test.level}); got != test.want {
			t.Errorf("%+v: admitted is %v", test, got)
		}
	}
	r, _ := http.NewRequest(http.MethodGet, "http://x/", nil)
	if (Keys{}).admits(r, Function{AuthLevel: "function"}) {
		t.Error("no key opens a function when no keys are set")
	}
}
