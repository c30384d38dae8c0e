package mcpfunc

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

type record struct {
	Level, Msg, Server, From, Kind, Method, Body string
	Bytes, Cut                                   int
}

func (j *journal) records(t *testing.T) (all []record) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

func TestWireLogHasEveryMessageAndNoSecret(t *testing.T) {
	t.Parallel()
	const (
		token  = `pa"ss/wörd<1>`
		bearer = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl"
	)
	s := self("fake")
	s.Env["API_TOKEN"] = token
	j := &journal{}
	logger := slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelWarn})) // as log_level may say
	_, srv := newApp(t, &Config{Servers: []Server{s}, resolved: []string{"expanded-into-args"}}, &Options{LogMessages: true, Logger: logger})
	c := connect(t, srv.URL+"/api/mcp")
	c.header = map[string][]string{"Authorization": {"Bearer " + bearer}, "X-Functions-Key": {"a-functions-key-of-the-app"}}
	quoted, _ := json.Marshal(token)
	for _, text := range []string{
		`"` + bearer + `"`, string(quoted), `"pa\"ss/wörd<1>"`, `"pa\"ss\/wörd<1>"`, `"pa\"ss/w\u00f6rd<1>"`,
		`"expanded-into-args"`, `"{\"password\": \"hunter2-hunter2\"}"`, `"password=hunter2-hunter2"`,
	} {
		if _, err := c.tool("echo", `"text":`+text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.tool("complain", `"text":`+string(quoted)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.tool("big", `"size":50000`); err != nil {
		t.Fatal(err)
	}

	count := map[string]int{}
	for _, r := range j.records(t) {
		if r.Msg != "wire" || r.Level != "DEBUG" || r.Server != "fake" {
			t.Errorf("logged besides: %+v", r)
		}
		count[r.From+" "+r.Kind+" "+r.Method]++
		if len(r.Body) > 4<<10 || r.Bytes > 50000 && r.Cut != r.Bytes-len(r.Body) {
			t.Errorf("%d bytes of %d are logged and %d are said to be cut", len(r.Body), r.Bytes, r.Cut)
		}
	}
	for what, n := range map[string]int{
		"client request initialize": 1, "server response initialize": 1, "client request tools/call": 10, "server response tools/call": 10,
	} {
		if count[what] != n {
			t.Errorf("%d of %q, want %d", count[what], what, n)
		}
	}
	log := j.String()
	for _, canary := range []string{"rd<1>", `rd\u003c1`, "eyJzdWIi", "expanded-into-args", "hunter2", "uthorization", "a-functions-key"} {
		if i := strings.Index(log, canary); i >= 0 {
			t.Errorf("%q is in the log: …%.200s", canary, log[max(0, i-100):])
		}
	}
	if !strings.Contains(log, secret.Redacted) {
		t.Error("nothing is blanked")
	}
}

func TestMessagesAreNotLoggedUnlessAsked(t *testing.T) {
	t.Parallel()
	j := &journal{}
	a, srv := newApp(t, &Config{Servers: []Server{self("fake")}},
		&Options{Logger: slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if _, err := connect(t, srv.URL+"/api/mcp").tool("echo", `"text":"not-for-the-log"`); err != nil {
		t.Fatal(err)
	}
	if log := j.String(); strings.Contains(log, "not-for-the-log") || a.watch != nil || a.page != nil {
		t.Errorf("observed without a wish: %s", log)
	}
}

func TestEnvironmentSwitchesTheWireLogAndThePage(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", minDevKey)
	for _, example := range []struct {
		env     map[string]string
		wire    bool
		hasPage bool
	}{
		{env: map[string]string{}},
		{env: map[string]string{"MCPFUNC_DEBUG": "wire"}, wire: true},
		{env: map[string]string{"MCPFUNC_DEBUG": "1"}},
		{env: map[string]string{"MCPFUNC_DEV": key}},
		{env: map[string]string{"MCPFUNC_DEV": key, "AZURE_FUNCTIONS_ENVIRONMENT": "Production"}},
		{env: map[string]string{"MCPFUNC_DEV": "short", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}},
		{env: map[string]string{"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}},
		{env: map[string]string{"MCPFUNC_DEV": key, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}, hasPage: true},
	} {
		cfg := parsed(t, `{"mcpServers":{"s":{"command":"x"}}}`, example.env)
		if cfg.logMessages != example.wire || (cfg.devKey != "") != example.hasPage {
			t.Errorf("%v: messages are logged: %v, page: %v", example.env, cfg.logMessages, cfg.devKey != "")
		}
	}
}

// parsed is a configuration as an app with this environment reads it.
func parsed(t *testing.T, text string, env map[string]string) *Config {
	t.Helper()
	file, err := config.Parse("mcp_config.json", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	var settings environment
	for name, value := range env {
		settings = append(settings, name+"="+value)
	}
	cfg, err := fromFile(file, settings, false)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
