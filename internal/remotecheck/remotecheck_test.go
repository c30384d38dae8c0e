package remotecheck

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	carried "github.com/mcpfunc/mcpfunc"
	"github.com/mcpfunc/mcpfunc/generator"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/fronttest"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// TestMain runs the test binary as an MCP server or as the handler of a project when it was started as one.
func TestMain(m *testing.M) {
	testlimit.NoExitSleep()
	switch {
	case os.Getenv("REMOTECHECK_SERVER") != "":
		mcptest.Server(os.Stdin, os.Stdout, os.Stderr, os.Exit)
		os.Exit(0)
	case os.Getenv("REMOTECHECK_HANDLER") != "":
		os.Exit(handle())
	}
	os.Exit(m.Run())
}

func handle() int {
	cfg, err := mcpfunc.LoadConfig("mcp_config.json")
	if err != nil {
		panic(err)
	}
	app, err := mcpfunc.New(cfg, nil)
	if err != nil {
		panic(err)
	}
	if err := app.ListenAndServe(context.Background(), mcpfunc.FunctionsAddr()); err != nil {
		panic(err)
	}
	return 0
}

// A site is an app behind the emulated host, which asks for keys as on Azure.
type site struct {
	dir  string
	host *hostemu.Host
}

// start writes a project, changes it, and starts the host before it.
func start(t *testing.T, hosting generator.Hosting, change func(dir string), env ...string) site {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server, err := json.Marshal(map[string]any{
		"mcpServers": map[string]any{
			"demo":   map[string]any{"command": self, "env": map[string]string{"REMOTECHECK_SERVER": "1"}},
			"absent": map[string]any{"command": "no-such-program"},
		},
		"runtime": map[string]any{"keepalive_seconds": 1, "default_server": "demo"},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, err := config.Parse(filepath.Join(dir, "mcp_config.json"), server, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := generator.Project{Name: "site", Hosting: hosting, Config: file, ConfigData: server, Runtime: carried.Source()}.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Write(dir, generator.Init, false); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "handler")); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(dir)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, err := hostemu.Start(t.Context(), hostemu.Options{
		Dir: dir, Listener: listener, EnforceKeys: true, Keys: hostemu.Keys{Host: map[string]string{"default": "hostkey"}},
		Env: append(append(os.Environ(), "REMOTECHECK_HANDLER=1"), env...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	return site{dir, host}
}

// find returns the findings at url as one text: status, name, detail and hint of each on a line.
func find(t *testing.T, address, key string) string {
	t.Helper()
	app, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	if key != "" {
		header.Set("X-Functions-Key", key)
	}
	var lines []string
	for _, f := range Check(testlimit.Context(t), Options{App: app, Header: header}) {
		lines = append(lines, string(f.Status)+" "+f.Name+": "+f.Detail+" | "+f.Hint)
		if f.Status != doctor.OK && f.Status != doctor.Missing && f.Hint == "" {
			t.Errorf("no hint: %+v", f)
		}
	}
	text := strings.Join(lines, "\n")
	if key != "" && strings.Contains(text, key) {
		t.Errorf("a finding holds the key:\n%s", text)
	}
	return text
}

func wants(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestALiveAppIsAskedWhatOnlyItCanAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, generator.HostingCustom, nil, "FUNCTIONS_WORKER_RUNTIME=custom")
	everything := []string{
		"ok readiness: ready", "ok first tool: ", "tools after ", "ok profile: none", "ok programs: linux/", "stack custom", "PATH is /",
		"ok servers: demo starts as ", "fail servers: absent cannot start there: ", "isolation: ", "ok memory: ", "shared memory counted once", "ok sandbox: the instance enforces ",
		"ok routes: /api/mcp requires a key", "ok routes: /api/mcp/absent requires a key", "ok routes: /api/session_metrics requires a key",
		"ok large refusals: the refusal of a call of 8 MiB arrives, 415", "ok streaming: the first byte", "ok 230 seconds: a silent stream sends a keep-alive within ",
		"warn instances: one instance answered 17 requests", "set the app setting MCPFUNC_SESSION_KEY",
	}
	t.Run("emulator", func(t *testing.T) { wants(t, find(t, s.host.URL(), "hostkey"), everything...) })
	t.Run("front", func(t *testing.T) {
		const program = "../../../shared/tools/front/front"
		if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is not here", program)
		}
		if err := s.host.Ready(testlimit.Context(t)); err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(s.host.HandlerAddress())
		if err != nil {
			t.Fatal(err)
		}
		keys := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(keys, []byte(`{"host": {"default": "hostkey"}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		address := fronttest.Start(t, program, s.dir, os.Environ(), port, "--keys", keys)
		wants(t, find(t, address, "hostkey"), everything...)
	})
	t.Run("without a key", func(t *testing.T) {
		wants(t, find(t, s.host.URL(), ""),
			"ok readiness", "missing first tool: /api/mcp answers 401", "missing instance: /api/session_metrics answers 401", "missing large refusals", "missing streaming", "missing instances")
	})
}

func TestTheProfileIsFoundToBeHonored(t *testing.T) {
	t.Parallel()
	s := start(t, generator.HostingFlex, nil, "FUNCTIONS_WORKER_RUNTIME=python", "MCPFUNC_SESSION_KEY="+generator.NewSessionKey())
	wants(t, find(t, s.host.URL(), "hostkey"),
		"warn profile: mcp-custom-handler is honored without the flag", "stack python", "ok instances: one instance answered 17 requests; others can take over its sessions")
}

func TestRoutesThatLetTooManyInAreFound(t *testing.T) {
	t.Parallel()
	const open = `{"bindings": [{"type": "httpTrigger", "direction": "in", "name": "req", "route": "ROUTE", "authLevel": "anonymous"}, {"type": "http", "direction": "out", "name": "res"}]}`
	add := func(route string) func(string) {
		return func(dir string) {
			if err := os.Mkdir(filepath.Join(dir, "all"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "all", "function.json"), []byte(strings.Replace(open, "ROUTE", route, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := start(t, generator.HostingCustom, add("{*path}"))
	wants(t, find(t, s.host.URL(), "hostkey"), "fail routes: /api/session_metrics is open to anyone", "warn routes: /api/mcp is open to anyone")
	s = start(t, generator.HostingCustom, add("api/mcp/{end}"))
	wants(t, find(t, s.host.URL(), "hostkey"), "fail routes: /api/mcp/sse is protected differently from /api/mcp: ")
	s = start(t, generator.HostingCustom, add("a//b"))
	wants(t, find(t, s.host.URL(), "hostkey"), "fail readiness: the host itself answers 503")
}

func TestWhatIsNoAppOfOursIsSaid(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{404: "fail readiness: the host does not have a function", 401: "something in front", 200: "not as an mcpfunc app does", 500: "the handler does not answer"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
		wants(t, find(t, "http://"+l.Addr().String(), ""), want)
	}
}
