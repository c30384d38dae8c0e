package mcpfunc_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// serve returns an App of cfg in a server of its own.
func serve(t *testing.T, cfg *mcpfunc.Config, opts mcpfunc.Options) *httptest.Server {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	app, err := mcpfunc.New(cfg, &opts)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	t.Cleanup(func() {
		app.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv
}

// answer is the status and the body of an answer.
func answer(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(data))
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`

func TestPrefixMovesAllPathsButWellKnown(t *testing.T) {
	for _, tt := range []struct{ option, prefix string }{
		{"", "/api"}, {"/api", "/api"}, {"/", ""}, {"/tools", "/tools"}, {"/Tools/v1", "/Tools/v1"},
	} {
		srv := serve(t, &mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "greeter", Command: "greeter"}}}, mcpfunc.Options{
			Prefix: tt.option, Launcher: mcpfunc.LauncherFunc(greeter),
		})
		for path, method := range map[string]string{
			"/mcp": "POST", "/mcp/greeter": "POST", "/mcp/greeter/": "POST", "/health": "GET", "/session_metrics": "GET", "/metrics": "GET",
		} {
			for _, prefix := range []string{tt.prefix, strings.ToUpper(tt.prefix)} { // the host's routes do not know case
				if got := answer(t, method, srv.URL+prefix+path, initialize); !strings.HasPrefix(got, "200 ") {
					t.Errorf("prefix %q: %s%s: %s", tt.option, prefix, path, got)
				}
			}
			for _, other := range []string{"/other", "/apix", "/tool", tt.prefix + "/x", tt.prefix + "/"} {
				if got := answer(t, method, srv.URL+other+path, initialize); !strings.HasPrefix(got, "404 ") {
					t.Errorf("prefix %q: %s%s: %s", tt.option, other, path, got)
				}
			}
		}
		if got := answer(t, "GET", srv.URL+"/", ""); !strings.HasPrefix(got, "200 ") {
			t.Errorf("prefix %q: the root: %s", tt.option, got)
		}
	}
}

func TestPrefixMovesWhatMetadataSay(t *testing.T) {
	const data = `{"mcpServers": {"a": {"command": "x", "auth": {"method": "oauth2_bearer", "oauth2_issuer": "https://issuer.example"}}}, "runtime": {"public_url": "https://app.example"}}`
	cfg, err := mcpfunc.ParseConfig([]byte(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t, cfg, mcpfunc.Options{Prefix: "/tools"})
	mux := http.NewServeMux() // as the guide mounts it
	mux.Handle("/tools/", srv.Config.Handler)
	mux.Handle("/.well-known/oauth-protected-resource/", srv.Config.Handler)
	mounted := httptest.NewServer(mux)
	t.Cleanup(mounted.Close)
	for path, resource := range map[string]string{
		"/.well-known/oauth-protected-resource/tools/mcp/a": "https://app.example/tools/mcp/a",
		"/.well-known/oauth-protected-resource/tools/mcp":   "https://app.example/tools/mcp",
		"/.well-known/oauth-protected-resource":             "https://app.example/tools/mcp",
	} {
		if got := answer(t, "GET", mounted.URL+path, ""); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, fmt.Sprintf(`"resource":%q`, resource)) {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := answer(t, "GET", mounted.URL+"/.well-known/oauth-protected-resource/api/mcp/a", ""); !strings.HasPrefix(got, "404 ") {
		t.Errorf("metadata where nothing is: %s", got)
	}
	resp, err := http.Post(mounted.URL+"/tools/mcp/a", "application/json", strings.NewReader(initialize))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("WWW-Authenticate"); !strings.Contains(got, `"https://app.example/.well-known/oauth-protected-resource/tools/mcp/a"`) {
		t.Errorf("the challenge points elsewhere: %s", got)
	}
}

func TestBadPrefixIsRefused(t *testing.T) {
	for _, prefix := range []string{"api", "/api/", "//", "/a//b", "/a/../b", "/.", "/a b", "/ä", "/%61", "/a?b", "/a#b", "https://x.example/a", "/.well-known", "/.Well-Known/x"} {
		app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "a", Command: "b"}}},
			&mcpfunc.Options{Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			app.Close()
			t.Errorf("%q was taken", prefix)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", prefix)) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// A program's own Auth guards every server. A file that says otherwise of one is an error, since
// neither may win in silence.
func TestOwnAuthGuardsEveryServer(t *testing.T) {
	cfg := &mcpfunc.Config{Servers: []mcpfunc.Server{{Name: "a", Command: "a"}, {Name: "b", Command: "b"}}}
	srv := serve(t, cfg, mcpfunc.Options{Auth: teamKeys{}, Launcher: mcpfunc.LauncherFunc(greeter)})
	for _, path := range []string{"/api/mcp", "/api/mcp/a", "/api/mcp/b"} {
		if got := answer(t, "POST", srv.URL+path, initialize); !strings.HasPrefix(got, "401 ") {
			t.Errorf("%s: %s", path, got)
		}
	}
	for _, method := range []string{`"azure_default"`, `"oauth2_bearer", "oauth2_issuer": "https://issuer.example"`} {
		cfg, err := mcpfunc.ParseConfig([]byte(`{"mcpServers": {"a": {"command": "x", "auth": {"method": `+method+`}}}, "runtime": {"public_url": "https://app.example"}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = mcpfunc.New(cfg, &mcpfunc.Options{Auth: teamKeys{}, Logger: slog.New(slog.DiscardHandler)})
		var got *mcpfunc.ConfigError
		if !errors.As(err, &got) || got.Key != "auth" || got.Server != "a" || got.Line != 1 {
			t.Errorf("method %s: %v", method, err)
		}
	}
}

// Config is what a file can say: data, and nothing that only a program has.
func TestConfigIsData(t *testing.T) {
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Struct:
			for field := range typ.Fields() {
				if field.IsExported() {
					look(path+"."+field.Name, field.Type)
				}
			}
		case reflect.Slice, reflect.Map:
			look(path, typ.Elem())
		case reflect.Interface, reflect.Func, reflect.Pointer, reflect.Chan:
			t.Errorf("%s is a %s, which no file can say", path, typ.Kind())
		}
	}
	look("Config", reflect.TypeFor[mcpfunc.Config]())
}

// With no limit at all, everything works and ends as always.
func TestNegativeIsNoLimit(t *testing.T) {
	srv := serve(t, &mcpfunc.Config{MaxSessions: -1, Keepalive: -1, Servers: []mcpfunc.Server{{
		Name: "greeter", Command: "greeter", StartTimeout: -1, RequestTimeout: -1, MaxRestarts: -1, IdleTimeout: -1, HibernateAfter: -1,
		MaxAge: -1, MaxSessions: -1, MaxPerCaller: -1, Prewarm: -1,
	}}}, mcpfunc.Options{Grace: -1, Drain: -1, StreamLimit: -1, Starts: -1, Launcher: mcpfunc.LauncherFunc(greeter)})
	for range 3 {
		if got := answer(t, "POST", srv.URL+"/api/mcp", initialize); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, `"serverInfo"`) {
			t.Errorf("initialize: %s", got)
		}
		if got := answer(t, "POST", srv.URL+"/api/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); !strings.HasPrefix(got, "200 ") || !strings.Contains(got, `"greet"`) {
			t.Errorf("tools/list: %s", got)
		}
	}
}
