package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// stubRuntime has the names that a scaffold's main.go uses, and nothing behind them: its app answers
// every request with the configuration that it was started with. It builds in a moment.
func stubRuntime() fs.FS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"go.mod": file("module github.com/mcpfunc/mcpfunc\n\ngo 1.26\n"),
		"go.sum": file(""),
		"runtime/mcpfunc.go": file(`package mcpfunc

import (
	"context"
	"net/http"
	"os"
)

const SupportsScaffold1 = true

func LoadConfig(path string) ([]byte, error) { return os.ReadFile(path) }

type App struct{ config []byte }

func New(config []byte, _ any) (*App, error) { return &App{config}, nil }

func (a *App) ListenAndServe(ctx context.Context, addr string) error {
	server := &http.Server{Addr: addr, Handler: a}
	context.AfterFunc(ctx, func() { server.Close() })
	return server.ListenAndServe()
}

func (a *App) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.Write(a.config) }

func FunctionsAddr() string { return "127.0.0.1:" + os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT") }
`),
	}
}

// stubProject scaffolds a project over stubRuntime with one server, "one".
func stubProject(t *testing.T) (env *Env, dir string, stdout, stderr *transcript) {
	t.Helper()
	env, stdout, stderr = testEnv()
	env.Environ, env.Runtime = append(os.Environ(), "GOPROXY=off"), stubRuntime()
	dir = filepath.Join(t.TempDir(), "app")
	if code := run(t.Context(), []string{"init", dir, "--server", "one", "--", "go", "version"}, env); code != 0 {
		t.Fatal(stderr)
	}
	return env, dir, stdout, stderr
}

func replaceInFile(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), old, new, 1)
	if text == string(data) {
		t.Fatalf("%s does not hold %q", path, old)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func body(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDevRefusesAPublicURLThatIsNone(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv()
	if code := run(t.Context(), []string{"dev", "--public-url", "app.example.net"}, env); code == 0 || !strings.Contains(stderr.String(), "want one like https://app.example.net") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

func TestDevReloadsAndKeepsServing(t *testing.T) {
	t.Parallel()
	env, dir, _, _ := stubProject(t)
	stdout, stderr := newTranscript(), newTranscript()
	env.Stdout, env.Stderr = stdout, stderr
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"dev", dir, "--port", "0"}, env) }()

	at := stderr.mustAwait(t, 0, "watching")
	if page := regexp.MustCompile(`(?m)^Page: http://127\.0\.0\.1:\d+/#key=[A-Z0-9]{26}$`); !page.MatchString(stderr.String()) {
		t.Errorf("no address of the page in %q", stderr)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(stdout.String()), "\t")
	base := strings.TrimSuffix(url, serverPath("one"))
	if base == url {
		t.Fatalf("the endpoints are %q", stdout)
	}
	if got := body(t, url); !strings.Contains(got, `"one"`) {
		t.Errorf("serves %q, want the server one", got)
	}

	// The configuration changes: the new server's function is generated and served.
	config := filepath.Join(dir, configName)
	replaceInFile(t, config, `"one"`, `"two"`)
	at = stderr.mustAwait(t, at, "reloaded after")
	if got := body(t, base+serverPath("two")); !strings.Contains(got, `"two"`) {
		t.Errorf("serves %q, want the server two", got)
	}

	// It breaks: the error is shown, with its line, and the old handler keeps serving.
	replaceInFile(t, config, `"go"`, `17`)
	at = stderr.mustAwait(t, at, "not reloaded: "+config+`:4: server "two": "command" must be`)
	if got := body(t, base+serverPath("two")); !strings.Contains(got, `"go"`) {
		t.Errorf("serves %q, want what was there before", got)
	}
	replaceInFile(t, config, `17`, `"go"`)
	at = stderr.mustAwait(t, at, "reloaded after")

	// So it is with code.
	program := filepath.Join(dir, "main.go")
	replaceInFile(t, program, "func run", "var x int = \"\"\n\nfunc run")
	at = stderr.mustAwait(t, at, "not reloaded: build the handler")
	if got := body(t, base+serverPath("two")); !strings.Contains(got, `"two"`) {
		t.Errorf("serves %q, want what was there before", got)
	}
	replaceInFile(t, program, `int = ""`, `string`)
	stderr.mustAwait(t, at, "reloaded after")

	interrupt()
	if code := <-ended; code != exitDone {
		t.Errorf("exit code = %d, want %d:\n%s", code, exitDone, stderr)
	}
	if resp, err := http.Get(base); err == nil {
		resp.Body.Close()
		t.Error("something still listens")
	}
	left, err := filepath.Glob(filepath.Join(dir, ".mcpfunc-*"))
	if err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDevNeedsAProjectThatBuilds(t *testing.T) {
	t.Parallel()
	env, dir, _, _ := stubProject(t)
	stdout, stderr := newTranscript(), newTranscript()
	env.Stdout, env.Stderr = stdout, stderr
	if code := run(t.Context(), []string{"dev", t.TempDir(), "--port", "0"}, env); code != exitFailed {
		t.Errorf("exit code = %d, want %d", code, exitFailed)
	}
	if got := stderr.String(); !strings.Contains(got, "is not a project") {
		t.Errorf("printed %q", got)
	}

	replaceInFile(t, filepath.Join(dir, configName), `"go"`, `"${MCPFUNC_TEST_UNSET}"`)
	if code := run(t.Context(), []string{"dev", dir, "--port", "0"}, env); code != exitFailed {
		t.Errorf("exit code = %d, want %d", code, exitFailed)
	}
	if got := stderr.String(); !strings.Contains(got, "needs the variable MCPFUNC_TEST_UNSET, which is not set\nhint: ") {
		t.Errorf("printed %q", got)
	}
	if got := stdout.String(); got != "" {
		t.Errorf("results: %q, want none", got)
	}
}

func TestATakenPortHasACure(t *testing.T) {
	t.Parallel()
	env, dir, _, _ := stubProject(t)
	stderr := newTranscript()
	env.Stderr = stderr
	taken := newDemoApp(t, nil)
	_, port, _ := strings.Cut(strings.TrimPrefix(taken.URL, "http://"), ":")
	if code := run(t.Context(), []string{"dev", dir, "--port", port}, env); code != exitFailed {
		t.Errorf("exit code = %d, want %d", code, exitFailed)
	}
	want := "mcpfunc: dev: port " + port + " is in use\nhint: "
	if got := stderr.String(); !strings.Contains(got, want) {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// What a server writes into its package works here and fails on Azure, so dev says it.
func TestDevNamesWhatServersWroteIntoTheirPackages(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv()
	dir, start := t.TempDir(), time.Now().Add(-time.Hour)
	if err := os.MkdirAll(filepath.Join(dir, "packed", "s"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]time.Time{"mcp_packed.json": start, "s/cache.db": start.Add(time.Minute)} {
		file := filepath.Join(dir, "packed", filepath.FromSlash(name))
		if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	warnWritten(env, dir, start.Add(time.Hour))
	if got := stderr.String(); got != "" {
		t.Errorf("nothing was written, but it says %q", got)
	}
	warnWritten(env, dir, start)
	if got := stderr.String(); !strings.Contains(got, "warning: a server wrote packed/s/cache.db") || !strings.Contains(got, "hint: packed files are read-only") {
		t.Errorf("it says %q", got)
	}
}
