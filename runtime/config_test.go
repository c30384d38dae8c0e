package mcpfunc

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// project writes files into a directory and makes it the working directory.
func project(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestLoadConfigTakesFileAndPlatform(t *testing.T) {
	project(t, map[string]string{
		"mcp_config.json": `{
			"mcpServers": {
				"a": {"command": "x", "args": ["${ARG}"], "env": {"B": "entry"}, "envFile": ".env", "timeout_seconds": 1.5, "max_restarts": 0},
				"off": {"command": "${NEVER_SET}", "enabled": false},
			},
			"runtime": {"max_sessions": 7, "log_level": "warn"},
		}`,
		".env": "A=file\nB=file\n",
	})
	t.Setenv("ARG", "value")
	t.Setenv("WEBSITE_HOSTNAME", "app.example.net")
	cfg, err := LoadConfig("")
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Servers) != 1 || cfg.MaxSessions != 7 || cfg.LogLevel.String() != "WARN" || cfg.PublicURL != "https://app.example.net" {
		t.Fatalf("%+v", cfg)
	}
	s := cfg.Servers[0]
	if s.Args[0] != "value" || s.Env["A"] != "file" || s.Env["B"] != "entry" || s.StartTimeout != 1500*time.Millisecond || s.MaxRestarts >= 0 {
		t.Errorf("%+v", s)
	}
	if len(cfg.AllowedHosts) > 0 || cfg.development {
		t.Errorf("taken for a developer's machine: %+v", cfg)
	}
}

func TestLoadConfigSaysWhatIsWrong(t *testing.T) {
	for want, data := range map[string]string{
		`mcp_config.json:3: server "a": "args" needs the variable NOT_SET_ANYWHERE`: "{\"mcpServers\": {\n\"a\": {\"command\": \"x\",\n\"args\": [\"${NOT_SET_ANYWHERE}\"]}}}",
		`"envFile" open none.env`: `{"mcpServers": {"a": {"command": "x", "envFile": "none.env"}}}`,
	} {
		project(t, map[string]string{"mcp_config.json": data})
		if _, err := LoadConfig("mcp_config.json"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	project(t, nil)
	if _, err := LoadConfig("none.json"); err == nil {
		t.Error("a missing file was read")
	}
}

func TestEmptyVariableIsAMissingOne(t *testing.T) {
	t.Setenv("EMPTY", "")
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x", "env": {"K": "${EMPTY}"}}}}`})
	if _, err := LoadConfig("mcp_config.json"); err == nil || !strings.Contains(err.Error(), "EMPTY") {
		t.Errorf("got %v", err)
	}
}

func TestPublicServerMustBeMeant(t *testing.T) {
	open := `{"bindings":[{"type":"httpTrigger","authLevel":"anonymous"}]}`
	keyed := `{"bindings":[{"type":"httpTrigger","authLevel":"function"}]}`
	for name, tt := range map[string]struct {
		auth, function string
		azure, ok      bool
	}{
		"open on Azure":       {`{"method": "none"}`, open, true, false},
		"open at home":        {`{"method": "none"}`, open, false, true},
		"with a key":          {`{"method": "none"}`, keyed, true, true},
		"open, and meant":     {`{"method": "none", "allow_public": true}`, open, true, true},
		"azure_default, open": {`{"method": "azure_default"}`, open, true, false},
		"with a token":        {`{"method": "oauth2_bearer", "oauth2_issuer": "https://issuer.example"}`, open, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, map[string]string{
				"mcp_config.json":     `{"mcpServers": {"a": {"command": "x", "auth": ` + tt.auth + `}}}`,
				"mcp-a/function.json": tt.function,
			})
			if tt.azure {
				t.Setenv("WEBSITE_INSTANCE_ID", "1")
				t.Setenv("WEBSITE_SITE_NAME", "app")
			}
			_, err := LoadConfig("mcp_config.json")
			if (err == nil) != tt.ok || err != nil && strings.Contains(err.Error(), "allow_public") == strings.Contains(tt.auth, "default") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// On Flex Consumption the keys are asked for by the routes of host.json, there is no function.json.
func TestPublicRouteMustBeMeant(t *testing.T) {
	const profile = `"configurationProfile": "mcp-custom-handler"`
	routes := func(routes string) string {
		return `{` + profile + `, "customHandler": {"http": {"routes": [` + routes + `]}}}`
	}
	for name, tt := range map[string]struct {
		host, setting string // setting is NAME=value
		refused       string // the server, if any
	}{
		"a key a server":            {host: routes(`{"route": "api/mcp/a/{endpoint:alpha?}", "authorizationLevel": "function"}, {"route": "api/health", "authorizationLevel": "anonymous"}`)},
		"an open route":             {host: routes(`{"route": "api/mcp/b/{endpoint:alpha?}", "authorizationLevel": "Anonymous"}`), refused: "b"},
		"in other letters":          {host: routes(`/* open */ {"Route": "API/mcp/B", "AuthorizationLevel": "anonymous"}`), refused: "b"},
		"of the default server":     {host: routes(`{"route": "api/mcp", "authorizationLevel": "anonymous"}`), refused: "a"},
		"of its event stream":       {host: routes(`{"route": "api/mcp/sse", "authorizationLevel": "anonymous"}`), refused: "a"},
		"of a server with tokens":   {host: routes(`{"route": "api/mcp/c/{endpoint:alpha?}", "authorizationLevel": "anonymous"}`)},
		"one for all, with a key":   {host: `{` + profile + `}`},
		"one for all, open":         {host: `{` + profile + `, "customHandler": {"http": {"DefaultAuthorizationLevel": "anonymous"}}}`, refused: "a"},
		"any server, open":          {host: routes(`{"route": "api/mcp/{server}", "authorizationLevel": "anonymous"}`), refused: "a"},
		"a default, and no level":   {host: `{"customHandler": {"http": {"defaultAuthorizationLevel": "anonymous", "routes": [{"route": "mcp/b"}]}}}`, refused: "b"},
		"a default, and a level":    {host: `{"customHandler": {"http": {"defaultAuthorizationLevel": "anonymous", "routes": [{"route": "mcp/b", "authorizationLevel": "admin"}]}}}`},
		"a default without routes":  {host: `{"customHandler": {"http": {"defaultAuthorizationLevel": "anonymous"}}}`},
		"opened by an app setting":  {host: `{` + profile + `}`, setting: "AzureFunctionsJobHost__customHandler__http__defaultAuthorizationLevel=anonymous", refused: "a"},
		"a route by an app setting": {host: routes(`{"route": "api/mcp/b", "authorizationLevel": "function"}`), setting: "AzureFunctionsJobHost__customHandler__http__routes__0__authorizationLevel=anonymous", refused: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, map[string]string{"host.json": tt.host, "mcp_config.json": `{"mcpServers": {
				"a": {"command": "x"}, "b": {"command": "x", "auth": {"method": "azure_default"}},
				"c": {"command": "x", "auth": {"method": "oauth2_bearer", "oauth2_issuer": "https://issuer.example"}}}}`})
			t.Setenv("WEBSITE_POD_NAME", "1")
			t.Setenv("WEBSITE_SITE_NAME", "app")
			if name, value, ok := strings.Cut(tt.setting, "="); ok {
				t.Setenv(name, value)
			}
			_, err := LoadConfig("mcp_config.json")
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), `server "`+tt.refused+`"`) || !strings.Contains(err.Error(), "the route in host.json asks for no key")):
				t.Errorf("got %v, want server %q refused", err, tt.refused)
			}
		})
	}
}

// A program that moves its paths is asked the same question about where they are then.
func TestPublicRouteMustBeMeantBelowAnyPrefix(t *testing.T) {
	project(t, map[string]string{
		"host.json": `{"configurationProfile": "mcp-custom-handler", "customHandler": {"http": {"routes": [
			{"route": "tools/{*rest}", "authorizationLevel": "anonymous"}, {"route": "api/mcp/a", "authorizationLevel": "function"}]}}}`,
		"mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`,
	})
	t.Setenv("WEBSITE_POD_NAME", "1")
	t.Setenv("WEBSITE_SITE_NAME", "app")
	cfg, err := LoadConfig("mcp_config.json")
	if err != nil {
		t.Fatal(err)
	}
	for prefix, open := range map[string]bool{"": false, "/api": false, "/tools": true, "/Tools/v1": true, "/other": false, "/": false} {
		app, err := New(cfg, &Options{Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
		var refused *ConfigError
		if open != errors.As(err, &refused) || open && (refused.Server != "a" || refused.Key != "auth") {
			t.Errorf("prefix %q: %v", prefix, err)
		}
		if err == nil {
			app.Close()
		}
	}
}

// Where App Service authentication serves the metadata, ours would contradict it; the challenge
// points there, and tokens are verified all the same.
func TestPlatformsMetadataStandAlone(t *testing.T) {
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x",
		"auth": {"method": "oauth2_bearer", "oauth2_issuer": "https://issuer.example"}}}}`})
	t.Setenv("WEBSITE_HOSTNAME", "app.example.net")
	for scopes, want := range map[string]struct {
		status int
		where  string
	}{
		"":                           {http.StatusOK, "https://app.example.net/.well-known/oauth-protected-resource/api/mcp/a"},
		"api://x/user_impersonation": {http.StatusNotFound, "https://app.example.net/.well-known/oauth-protected-resource\""},
	} {
		t.Setenv("WEBSITE_AUTH_ENABLED", "True")
		t.Setenv("WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES", scopes)
		cfg, err := LoadConfig("mcp_config.json")
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(cfg, &Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource/api/mcp/a", nil))
		if w.Code != want.status {
			t.Errorf("with scopes %q the metadata are %d, want %d", scopes, w.Code, want.status)
		}
		w = httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/api/mcp/a", strings.NewReader("{}"))
		r.Header.Set("X-MS-CLIENT-PRINCIPAL-ID", "somebody")
		a.ServeHTTP(w, r)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || !strings.Contains(got, want.where) {
			t.Errorf("with scopes %q: %d %s", scopes, w.Code, got)
		}
		a.Close()
	}
}
