package mcpfunc

import (
	"cmp"
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
		"one more by app settings":  {host: routes(`{"route": "api/mcp/b", "authorizationLevel": "function"}`), setting: "AzureFunctionsJobHost__customHandler__http__routes__7__route=api/mcp/{*rest},AzureFunctionsJobHost__customHandler__http__routes__7__authorizationLevel=anonymous", refused: "a"},
		"names in other letters":    {host: routes(`{"route": "api/mcp/b", "authorizationLevel": "function"}`), setting: "AZUREFUNCTIONSJOBHOST__CUSTOMHANDLER__HTTP__ROUTES__0__AUTHORIZATIONLEVEL=Anonymous", refused: "b"},
		"with colons":               {host: routes(`{"route": "api/mcp/b", "authorizationLevel": "function"}`), setting: "azurefunctionsjobhost:customhandler:http:routes:0:authorizationLevel=anonymous", refused: "b"},
		"a default, level taken":    {host: `{` + profile + `, "customHandler": {"http": {"defaultAuthorizationLevel": "anonymous", "routes": [{"route": "api/mcp/b", "authorizationLevel": "function"}]}}}`, setting: "AzureFunctionsJobHost__customHandler__http__routes__0__authorizationLevel=", refused: "b"},
		"a profile by app settings": {host: `{"customHandler": {"http": {"defaultAuthorizationLevel": "anonymous"}}}`, setting: "AzureFunctionsJobHost__configurationprofile=mcp-custom-handler", refused: "a"},
		"a prefix by app settings":  {host: `{"customHandler": {"http": {"routes": [{"route": "mcp/b", "authorizationLevel": "anonymous"}]}}}`, setting: "AzureFunctionsJobHost__extensions__http__routePrefix=other"},
		"a mixed segment":           {host: routes(`{"route": "api/m{rest}/b", "authorizationLevel": "anonymous"}`), refused: "b"},
		"from the root":             {host: routes(`{"route": "~/api/mcp/b", "authorizationLevel": "anonymous"}`), refused: "b"},
		"no host.json, by settings": {setting: "AzureFunctionsJobHost__customHandler__http__routes__0__route=mcp/b,AzureFunctionsJobHost__customHandler__http__routes__0__authorizationLevel=anonymous", refused: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, map[string]string{"host.json": tt.host, "mcp_config.json": `{"mcpServers": {
				"a": {"command": "x"}, "b": {"command": "x", "auth": {"method": "azure_default"}},
				"c": {"command": "x", "auth": {"method": "oauth2_bearer", "oauth2_issuer": "https://issuer.example"}}}}`})
			t.Setenv("WEBSITE_POD_NAME", "1")
			t.Setenv("WEBSITE_SITE_NAME", "app")
			for setting := range strings.SplitSeq(tt.setting, ",") {
				if name, value, ok := strings.Cut(setting, "="); ok {
					t.Setenv(name, value)
				}
			}
			_, err := LoadConfig("mcp_config.json")
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), `server "`+tt.refused+`"`) || !strings.Contains(err.Error(), "the route in host.json requires no key")):
				t.Errorf("got %v, want server %q refused", err, tt.refused)
			}
		})
	}
}

// The functions are where host.json is, wherever the configuration lies.
func TestPublicFunctionMustBeMeantByAConfigurationElsewhere(t *testing.T) {
	project(t, map[string]string{
		"host.json": `{"extensions": {"http": {"routePrefix": ""}}}`, "config/mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`,
		"mine/function.json": `{"bindings":[{"type":"httpTrigger","authLevel":"anonymous","route":"api/mcp/a"}]}`,
	})
	t.Setenv("WEBSITE_INSTANCE_ID", "1")
	t.Setenv("WEBSITE_SITE_NAME", "app")
	if _, err := LoadConfig("config/mcp_config.json"); err == nil || !strings.Contains(err.Error(), "the function mine requires no key") {
		t.Errorf("got %v, want refused by its function", err)
	}
}

// The handler gets what any function of the app lets in, no matter who wrote it.
func TestPublicFunctionOfAnybodyMustBeMeant(t *testing.T) {
	open := func(more string) string {
		return `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous"` + more + `},{"type":"http","direction":"out","name":"res"}]}`
	}
	const host = `{"extensions": {"http": {"routePrefix": ""}}}`
	for name, tt := range map[string]struct {
		file, function, host, setting string
		refused                       string // the function, if any
	}{
		"the route of a server":           {file: "mine", function: open(`,"route":"api/mcp/a"`), refused: "mine"},
		"in other letters":                {file: "mine", function: `{"Bindings":[{"Type":"HTTPTRIGGER","AuthLevel":"Anonymous","Route":"API/MCP/A"}]}`, refused: "mine"},
		"our name in other letters":       {file: "MCP-A", function: open(`,"route":"x"`), refused: "MCP-A"},
		"a catch-all":                     {file: "all", function: open(`,"route":"{*path}"`), refused: "all"},
		"a parameter":                     {file: "all", function: open(`,"route":"api/{x}/{y}"`), refused: "all"},
		"a mixed parameter":               {file: "all", function: open(`,"route":"api/mc{x}/a"`), refused: "all"},
		"the event stream":                {file: "mine", function: open(`,"route":"api/mcp/a/sse"`), refused: "mine"},
		"behind a prefix":                 {file: "mine", function: open(`,"route":"mcp/a"`), host: "{}", refused: "mine"},
		"a prefix by an app setting":      {file: "mine", function: open(`,"route":"a"`), setting: "AzureFunctionsJobHost__extensions__http__ROUTEPREFIX=api/mcp", refused: "mine"},
		"without a route":                 {file: "a", function: open(""), setting: "AzureFunctionsJobHost__extensions__http__routePrefix=api/mcp", refused: "a"},
		"with a byte order mark":          {file: "mine", function: "\ufeff" + open(`,"route":"api/mcp/a"`), refused: "mine"},
		"with a comment and another type": {file: "mine", function: "/* x */" + open(`,"route":"api/mcp/a","name":5`), refused: "mine"},
		"with a key":                      {file: "mine", function: strings.Replace(open(`,"route":"api/mcp/a"`), "anonymous", "function", 1)},
		"of something else":               {file: "mine", function: open(`,"route":"api/mine"`)},
		"below another server":            {file: "mine", function: open(`,"route":"api/mcp/other"`)},
		"no HTTP":                         {file: "mine", function: `{"bindings":[{"type":"timerTrigger","authLevel":"anonymous","route":"api/mcp/a"}]}`},
		"broken":                          {file: "mine", function: `{"bindings":[{"type":`},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, map[string]string{
				"host.json": cmp.Or(tt.host, host), "mcp_config.json": `{"mcpServers": {"a": {"command": "x"}}}`,
				tt.file + "/function.json": tt.function,
			})
			t.Setenv("WEBSITE_INSTANCE_ID", "1")
			t.Setenv("WEBSITE_SITE_NAME", "app")
			if name, value, ok := strings.Cut(tt.setting, "="); ok {
				t.Setenv(name, value)
			}
			_, err := LoadConfig("mcp_config.json")
			if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), "the function "+tt.refused+" requires no key")) {
				t.Errorf("got %v, want refused by %q", err, tt.refused)
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
