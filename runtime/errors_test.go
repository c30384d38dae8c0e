package mcpfunc_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// load reads a configuration file of these contents, whose path it returns.
func load(t *testing.T, contents string) (*mcpfunc.Config, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp_config.json")
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := mcpfunc.LoadConfig(path)
	return cfg, path, err
}

func TestConfigErrorsSayWhereAndWhat(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file       string
		want       mcpfunc.ConfigError // File apart
		text       string
		fromTheNew bool // shows only when an App is made of it
	}{
		"no JSON": {file: "{\n\"mcpServers\": {,}}", want: mcpfunc.ConfigError{Line: 2}, text: "invalid"},
		"a key of a server": {file: "{\"mcpServers\": {\n\"a\": {\n\"command\": \"x\", \"args\": 1}}}",
			want: mcpfunc.ConfigError{Line: 3, Server: "a", Key: "args"}, text: `"args" must be a list of strings`},
		"a variable that is not set": {file: "{\"mcpServers\": {\"a\": {\"command\": \"${NOT_SET_ANYWHERE}\"}}}",
			want: mcpfunc.ConfigError{Line: 1, Server: "a", Key: "command"}, text: "NOT_SET_ANYWHERE"},
		"a file that a server names": {file: "{\"mcpServers\": {\n\"a\": {\"command\": \"x\", \"envFile\": \"none.env\"}}}",
			want: mcpfunc.ConfigError{Line: 2, Server: "a", Key: "envFile"}, text: "none.env"},
		"a missing directory": {file: "{\"mcpServers\": {\n\"a\": {\"command\": \"x\", \"working_dir\": \"/none\"}}}",
			want: mcpfunc.ConfigError{Line: 2, Server: "a", Key: "working_dir"}, text: "/none", fromTheNew: true},
		"auth without a public URL": {file: "{\"mcpServers\": {\n\"a\": {\"command\": \"x\", \"auth\": {\"method\": \"oauth2_bearer\", \"oauth2_issuer\": \"https://issuer.example\"}}}}",
			want: mcpfunc.ConfigError{Line: 2, Server: "a", Key: "auth", Hint: "set runtime.public_url"}, text: "the public URL is not known", fromTheNew: true},
		"no server": {file: "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"enabled\": false}}}",
			want: mcpfunc.ConfigError{Hint: "add one to the configuration, or enable one"}, text: "no servers configured", fromTheNew: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, path, err := load(t, tt.file)
			if (err == nil) != tt.fromTheNew {
				t.Fatalf("LoadConfig: %v", err)
			}
			if err == nil {
				_, err = mcpfunc.New(cfg, &mcpfunc.Options{Logger: slog.New(slog.DiscardHandler)})
			}
			var got *mcpfunc.ConfigError
			if !errors.As(err, &got) {
				t.Fatalf("%T: %v", err, err)
			}
			w := tt.want
			if got.File != path || got.Line != w.Line || got.Server != w.Server || got.Key != w.Key || w.Hint != "" && got.Hint != w.Hint {
				t.Errorf("%q, line %d, server %q, key %q, hint %q; want line %d, server %q, key %q, hint %q",
					got.File, got.Line, got.Server, got.Key, got.Hint, w.Line, w.Server, w.Key, w.Hint)
			}
			text := err.Error()
			if !strings.HasPrefix(text, path) || !strings.Contains(text, tt.text) || got.Hint != "" && !strings.HasSuffix(text, " (hint: "+got.Hint+")") {
				t.Errorf("the text is %q", text)
			}
			if w.Line > 0 && !strings.HasPrefix(text, fmt.Sprintf("%s:%d: ", path, w.Line)) {
				t.Errorf("the text does not begin with the place: %q", text)
			}
		})
	}
}

// What is wrong with a Config written in Go has no file, and all else.
func TestConfigErrorsOfValues(t *testing.T) {
	t.Parallel()
	one := func(change func(*mcpfunc.Server)) *mcpfunc.Config {
		s := mcpfunc.Server{Name: "a", Command: "b"}
		change(&s)
		return &mcpfunc.Config{Servers: []mcpfunc.Server{s}}
	}
	for key, cfg := range map[string]*mcpfunc.Config{
		"command":                   one(func(s *mcpfunc.Server) { s.Command = "" }),
		"framing":                   one(func(s *mcpfunc.Server) { s.Framing = "x" }),
		"era":                       one(func(s *mcpfunc.Server) { s.Era = "x" }),
		"sessions.on_lost":          one(func(s *mcpfunc.Server) { s.OnLost = "x" }),
		"working_dir":               one(func(s *mcpfunc.Server) { s.Dir = "/none" }),
		"runtime.max_message_bytes": {Servers: []mcpfunc.Server{{Name: "a", Command: "b"}}, MaxRequestBytes: -1},
		"runtime.default_server":    {Servers: []mcpfunc.Server{{Name: "a", Command: "b"}}, DefaultServer: "c"},
		"":                          nil,
	} {
		_, err := mcpfunc.New(cfg, &mcpfunc.Options{Logger: slog.New(slog.DiscardHandler)})
		var got *mcpfunc.ConfigError
		if !errors.As(err, &got) || got.Key != key || got.File != "" || got.Line != 0 {
			t.Errorf("%q: %#v", key, err)
		}
	}
}
