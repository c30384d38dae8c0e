package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// environ makes a lookup of key, value pairs.
func environ(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// one parses a file with a single server "s", whose entry holds the given members.
func one(t *testing.T, members string, lookup func(string) (string, bool)) (*File, error) {
	t.Helper()
	return Parse("c.json", []byte(`{"mcpServers": {"s": {`+members+`}}}`), lookup)
}

func defaults(name string, line int, command string) Server {
	return Server{
		Name: name, Line: line, Command: command, Enabled: true, Framing: FramingAuto, Era: EraAuto, Trace: TracePass,
		Timeout: 30 * time.Second, RestartOnFailure: true, MaxRestarts: 3, Auth: Auth{Method: AuthNone},
		Sessions: Sessions{Idle: time.Hour, Hibernate: 5 * time.Minute, MaxAge: 24 * time.Hour, MaxPerPrincipal: 8, Anonymous: true},
	}
}

func defaultRuntime() Runtime {
	return Runtime{MaxRequestBytes: 32 << 20, MaxResponseBytes: 64 << 20, Keepalive: 20 * time.Second, LogLevel: "info"}
}

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	path := "testdata/full.json"
	got, err := Load(path, environ("TOKEN", "t\"}", "API_KEY", "k", "SECRET", "s", "HOST", "app.example"))
	if err != nil {
		t.Fatal(err)
	}
	git := Server{
		Name: "git-tools", Line: 10, Enabled: true,
		Command: "uvx", Args: []string{"mcp-server-git", "--repo", "/srv/repo"},
		Env: map[string]string{
			"TOKEN": "t\"}", "N": "1.50", "BIG": "12345678901234567890", "ON": "true", "KEY": "k", "EMPTY": "",
		},
		EnvFile: ".env", Dir: "srv", Timeout: 1500 * time.Millisecond, Framing: FramingContentLength, Era: EraBoth, Manifest: ManifestShared,
		Description: "git, über", InheritEnv: []string{"AZURE_*", "FOO"},
		EnvFromHeaders: map[string]string{"A": "X-A"}, EnvFromClaims: map[string]string{"B": "sub"}, Trace: TraceInject, AuditArguments: []string{"path"},
		Sandbox: Sandbox{NoNetwork: true, Ports: []int{443, 53}, ReadOnly: true, Write: []string{"/data"}, Optional: true},
		Auth: Auth{
			Method: AuthOAuth2Bearer, Line: 27, OAuth2Issuer: "https://issuer.example",
			OAuth2Audience: []string{"https://app.example/api/mcp"}, OAuth2RequiredScopes: []string{"read"},
			OAuth2JWKSURI:                   "https://issuer.example/keys?p=1",
			OAuth2IntrospectionEndpoint:     "http://127.0.0.1:9/introspect",
			OAuth2IntrospectionClientID:     "me",
			OAuth2IntrospectionClientSecret: "s",
			OAuth2ScopeImplies:              map[string][]string{"write": {"read"}},
		},
		Sessions: Sessions{
			Idle: time.Minute, MaxAge: 2 * time.Hour, OnLost: OnLostNotFound, Max: 10, MaxPerPrincipal: 2, RejectClientIDs: true,
		},
	}
	off := defaults("off", 45, "node")
	off.Enabled, off.Args = false, []string{"${NOT_SET}"}
	want := &File{
		Path: path, Shape: ShapeMCPServers,
		Servers: []Server{git, defaults("plain", 44, "node"), off},
		Inputs: []Input{
			{ID: "api-key", Type: "promptString", Description: "Key", Password: true, EnvName: "API_KEY"},
			{ID: "region", Type: "promptString", EnvName: "REGION", Default: "eu"},
		},
		Runtime: Runtime{
			DefaultServer: "plain", PublicURL: "https://app.example",
			AllowedOrigins: []string{"https://example.com", "vscode-webview://x", "*"},
			AllowedHosts:   []string{"example.com", "localhost:7071"}, MaxSessions: 5,
			MaxRequestBytes: 4096, MaxResponseBytes: 64 << 20, Keepalive: 500 * time.Millisecond, LogLevel: "debug", Audit: AuditCalls,
		},
		Variables: []Variable{
			{Name: "REPO", Server: "git-tools", Key: "args", Line: 13, Optional: true},
			{Name: "TOKEN", Server: "git-tools", Key: "env.TOKEN", Line: 14, Secret: true},
			{Name: "API_KEY", Server: "git-tools", Key: "env.KEY", Line: 14, Secret: true},
			{Name: "SECRET", Server: "git-tools", Key: "auth.oauth2_introspection_client_secret", Line: 35, Secret: true},
			{Name: "HOST", Key: "runtime.public_url", Line: 49},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if s, ok := got.Default(); !ok || s.Name != "plain" {
		t.Errorf("default server is %q, %v", s.Name, ok)
	}
	if on := got.Enabled(); len(on) != 2 {
		t.Errorf("%d servers are on, want 2", len(on))
	}
}

func TestGeneratorLeavesVariables(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Servers[0]
	got := []string{s.Args[2], s.Env["TOKEN"], s.Env["KEY"], s.Auth.OAuth2IntrospectionClientSecret, f.Runtime.PublicURL}
	want := []string{"${REPO:-/srv/repo}", "${TOKEN}", "${input:api-key}", "${SECRET}", "https://${HOST}/"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryShapeIsFound(t *testing.T) {
	t.Parallel()
	const servers = `{"a": {"command": "x", "args": ["${input:k}"]}}`
	const inputs = `"inputs": [{"id": "k"}]`
	for _, test := range []struct {
		data  string
		shape Shape
	}{
		{`{"mcpServers": ` + servers + `, ` + inputs + `}`, ShapeMCPServers},
		{`{"servers": ` + servers + `, ` + inputs + `}`, ShapeServers},
		{`{"mcp": {"servers": ` + servers + `, ` + inputs + `}, "editor.tabSize": 4}`, ShapeMCPDotMany},
		{`{"mcp": {"server": ` + servers + `, ` + inputs + `}}`, ShapeMCPDotOne},
		{`{"mcpServers": null, "mcp": {"servers": null, "server": ` + servers + `, ` + inputs + `}}`, ShapeMCPDotOne},
	} {
		f, err := Parse("", []byte(test.data), environ("K", "v"))
		if err != nil {
			t.Errorf("%s: %v", test.data, err)
			continue
		}
		if f.Shape != test.shape || len(f.Servers) != 1 || f.Servers[0].Args[0] != "v" || len(f.Inputs) != 1 || len(f.Warnings) != 0 {
			t.Errorf("%s: got %+v", test.data, f)
		}
	}
}

func TestFirstShapeWins(t *testing.T) {
	t.Parallel()
	f, err := Parse("c.json", []byte(`{"mcp": {"servers": {"c": {"command": "x"}}},
"servers": {"b": {"command": "x"}}, "mcpServers": {"a": {"command": "x"}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.Shape != ShapeMCPServers || len(f.Servers) != 1 || f.Servers[0].Name != "a" {
		t.Errorf("got %+v", f)
	}
	want := []string{
		`c.json:2: "mcpServers" is used, and "servers" is ignored`,
		`c.json:2: "mcpServers" is used, and "mcp.servers" is ignored`,
	}
	if diff := cmp.Diff(want, texts(f.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	f, err := Parse("", []byte("\ufeff"+`{"mcpServers": {"a": {"command": " x "}}}//`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{Shape: ShapeMCPServers, Servers: []Server{defaults("a", 1, "x")}, Runtime: defaultRuntime()}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileWithoutServersHasNoDefault(t *testing.T) {
	t.Parallel()
	f, err := Parse("", []byte(`{"mcpServers": {"a": {"command": "x", "enabled": false}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := f.Default(); ok {
		t.Errorf("default server is %q", s.Name)
	}
}

func texts(warnings []Warning) []string {
	var list []string
	for _, w := range warnings {
		s := w.String()
		if w.Hint != "" {
			s += " | " + w.Hint
		}
		list = append(list, s)
	}
	return list
}

func TestManifestIsASwitchOrShared(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Manifest{"true": ManifestAuto, "false": ManifestOff, `"shared"`: ManifestShared} {
		f, err := Parse("", []byte(`{"mcpServers":{"s":{"command":"x","manifest":`+text+`}}}`), nil)
		if err != nil || f.Servers[0].Manifest != want {
			t.Errorf("%s: %v, %v, want %q", text, f, err, want)
		}
	}
	for _, text := range []string{`"auto"`, `"off"`, "1", "{}"} {
		if _, err := Parse("", []byte(`{"mcpServers":{"s":{"command":"x","manifest":`+text+`}}}`), nil); err == nil || !strings.Contains(err.Error(), "manifest") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
