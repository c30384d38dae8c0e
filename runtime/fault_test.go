package mcpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lockedLines are read while they are written.
type lockedLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lockedLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// underHost loads the configuration in the working directory as under the Functions host, and serves it. log
// is what was logged, a line each.
func underHost(t *testing.T, opts Options) (a *App, log func() string) {
	t.Helper()
	t.Setenv(portSetting, "7071")
	cfg, err := LoadConfig("mcp_config.json")
	if err != nil {
		t.Fatal(err)
	}
	var lines lockedLines
	opts.Logger = slog.New(slog.NewJSONHandler(&lines, nil))
	a, err = New(cfg, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, lines.String
}

// inquire sends one request to the app.
func inquire(a *App, method, path, body string) (status int, answer string) {
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const openingMessage = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// The host ends an app whose handler ends three times: what is wrong must be told by one that runs.
func TestConfigurationThatCannotBeServedIsAnswered(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"no JSON":         {`{"mcpServers": {`, "mcp_config.json:1: "},
		"no servers":      {`{"mcpServers": {}}`, "no servers configured"},
		"no file":         {"", "mcp_config.json: cannot be read"},
		"runtime":         {`{"mcpServers": {"a": {"command": "x"}}, "runtime": {"public_url": "${SECRET}"}}`, `"runtime.public_url" cannot be used with the value of SECRET`},
		"default server":  {`{"mcpServers": {"a": {"command": "x"}}, "runtime": {"default_server": "b"}}`, "default_server"},
		"the only server": {`{"mcpServers": {"a": {"command": "x", "env": {"K": "${NOT_SET}"}}}}`, `server "a": "env.K" needs the variable NOT_SET, which is not set (hint: set NOT_SET`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECRET", "ftp://s3cret-value")
			files := map[string]string{"mcp_config.json": c.file}
			if c.file == "" {
				files = nil
			}
			project(t, files)
			a, log := underHost(t, Options{})
			for _, path := range []string{"/api/health", "/api/mcp", "/api/mcp/a"} {
				method := http.MethodPost
				if path == "/api/health" {
					method = http.MethodGet
				}
				status, body := inquire(a, method, path, openingMessage)
				var answer struct {
					Reason string
					Error  struct{ Code, Message string }
				}
				if err := json.Unmarshal([]byte(body), &answer); err != nil {
					t.Fatal(err)
				}
				if status != http.StatusServiceUnavailable || !strings.Contains(answer.Reason+answer.Error.Message, c.want) || strings.Contains(body, "s3cret") {
					t.Errorf("%s: %d %s, want 503 and %s", path, status, body, c.want)
				}
			}
			if status, _ := inquire(a, http.MethodGet, "/", ""); status != http.StatusOK {
				t.Errorf("the readiness ping is answered with %d", status)
			}
			var found bool
			for line := range strings.Lines(log()) {
				var record struct{ Level, Error string }
				if json.Unmarshal([]byte(line), &record); record.Level == "ERROR" {
					found = true
				}
			}
			if !found || strings.Contains(log(), "s3cret") {
				t.Errorf("the log does not tell of it, or too much: %s", log())
			}
		})
	}
}

func TestFaultyServersLeaveTheOthersAlone(t *testing.T) {
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {
		"first": {"command": "x", "env": {"K": "${NOT_SET}"}},
		"good": {"command": "x"},
		"auth": {"command": "x", "auth": {"method": "oauth2_bearer", "oauth2_issuer": "${SECRET}", "oauth2_audience": "x"}},
		"noturl": {"command": "x", "auth": {"method": "azure_obo"}},
		"dir": {"command": "x", "cwd": "${SECRET}"},
		"Twin": {"command": "x"}, "twin": {"command": "x"}
	}}`})
	t.Setenv("SECRET", "ftp://s3cret-value")
	started := 0
	a, log := underHost(t, Options{Prefix: "/api", Launcher: LauncherFunc(func(_ context.Context, spec Server, env []string) (Process, error) {
		started++
		if spec.Name != "good" {
			t.Errorf("server %s was started", spec.Name)
		}
		return nil, errors.New("not here")
	})})
	faulty := map[string]string{
		"":       "NOT_SET", // the default server is the first, and no other takes its place
		"/first": "NOT_SET",
		"/auth":  "SECRET",
		"/dir":   "SECRET",
		"/twin":  "letter case",
		"/TWIN":  "letter case",
	}
	for path, want := range faulty {
		status, body := inquire(a, http.MethodPost, "/api/mcp"+path, openingMessage)
		if status != http.StatusServiceUnavailable || !strings.Contains(body, want) || strings.Contains(body, "s3cret") {
			t.Errorf("%s: %d %s, want 503 and %s", path, status, body, want)
		}
	}
	if status, body := inquire(a, http.MethodPost, "/api/mcp/good", openingMessage); status != http.StatusOK || !strings.Contains(body, "start_failed") {
		t.Errorf("the good server answers %d %s", status, body)
	}
	if started == 0 {
		t.Error("the good server was not started")
	}
	if status, _ := inquire(a, http.MethodPost, "/api/mcp/nothing", openingMessage); status != http.StatusNotFound {
		t.Errorf("a server that is not there: %d", status)
	}
	if status, body := inquire(a, http.MethodGet, "/.well-known/oauth-protected-resource/api/mcp/auth", ""); status != http.StatusServiceUnavailable {
		t.Errorf("the metadata of a faulty server: %d %s", status, body)
	}
	status, body := inquire(a, http.MethodGet, "/api/health", "")
	if want := `{"reason":"6 of 7 servers cannot be served","status":"degraded"}`; status != http.StatusOK || strings.TrimSpace(body) != want {
		t.Errorf("health: %d %s, want %s", status, body, want)
	}
	status, body = inquire(a, http.MethodGet, "/api/session_metrics", "")
	var figures struct{ Faults map[string]string }
	if err := json.Unmarshal([]byte(body), &figures); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || len(figures.Faults) != 6 || strings.Contains(body, "s3cret") {
		t.Errorf("faults: %d %s", status, body)
	}
	type fault struct {
		File, Server, Hint string
		Line               int
	}
	var logged []fault
	for line := range strings.Lines(log()) {
		var record struct {
			Level string
			fault
		}
		if json.Unmarshal([]byte(line), &record); record.Level == "ERROR" && strings.Contains(line, `"server":"first"`) {
			json.Unmarshal([]byte(line), &record.fault)
			logged = append(logged, record.fault)
		}
	}
	want := []fault{{File: "mcp_config.json", Server: "first", Line: 2, Hint: "set NOT_SET in the app settings, or write ${NOT_SET:-default}"}}
	if diff := cmp.Diff(want, logged, cmp.AllowUnexported(fault{})); diff != "" {
		t.Errorf("logged of a fault (-want +got):\n%s", diff)
	}
	if strings.Contains(log(), "s3cret") {
		t.Errorf("the log shows a value: %s", log())
	}
}

// What a program writes, or loads where no host would give up on it, fails at once.
func TestEmbeddersGetTypedErrors(t *testing.T) {
	project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x", "env": {"K": "${NOT_SET}"}}}}`})
	t.Setenv(portSetting, "")
	os.Unsetenv(portSetting)
	if _, err := LoadConfig(""); !isConfigError(err) {
		t.Errorf("LoadConfig: %v", err)
	}
	if _, err := New(&Config{Servers: []Server{{Name: "a"}}}, nil); !isConfigError(err) {
		t.Errorf("New: %v", err)
	}
	t.Setenv(portSetting, "7071")
	cfg, err := LoadConfig("")
	if err != nil || !isConfigError(cfg.Err()) {
		t.Errorf("under the host: %v, %v", err, cfg.Err())
	}
	if _, err := New(&Config{Servers: []Server{{Name: "a"}}}, nil); !isConfigError(err) {
		t.Errorf("New of a literal under the host: %v", err)
	}
}

func isConfigError(err error) bool {
	_, ok := errors.AsType[*ConfigError](err)
	return ok
}
