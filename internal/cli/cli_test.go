package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/generator"

	"github.com/mcpfunc/mcpfunc"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// testEnv is an Env with nothing around it: no terminal, no home, no variables.
func testEnv() (env *Env, stdout, stderr *transcript) {
	stdout, stderr = newTranscript(), newTranscript()
	return &Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Runtime: mcpfunc.Source()}, stdout, stderr
}

// A transcript is an output that can be waited on, from any goroutine.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed when text grows
}

func newTranscript() *transcript { return &transcript{changed: make(chan struct{})} }

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// await waits until the text behind offset holds want, and returns the offset behind it.
func (w *transcript) await(offset int, want string) (int, error) {
	deadline := time.After(testlimit.Wait())
	for {
		w.mu.Lock()
		text, changed := w.text.String(), w.changed
		w.mu.Unlock()
		if i := strings.Index(text[offset:], want); i >= 0 {
			return offset + i + len(want), nil
		}
		select {
		case <-changed:
		case <-deadline:
			return 0, fmt.Errorf("%q never came; there is:\n%s", want, text)
		}
	}
}

// mustAwait is await for the test's own goroutine.
func (w *transcript) mustAwait(t *testing.T, offset int, want string) int {
	t.Helper()
	next, err := w.await(offset, want)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// writeFiles writes files below the current folder.
func writeFiles(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommandLinesBecomeOptions(t *testing.T) {
	t.Parallel()
	env, _, _ := testEnv()
	var got any
	root := func() *cobra.Command {
		root := &cobra.Command{Use: "mcpfunc", SilenceErrors: true, SilenceUsage: true}
		root.AddCommand(
			newInitCommand(env, func(_ context.Context, _ *Env, o *initOptions) error { got = *o; return nil }),
			newAddServerCommand(env, func(_ context.Context, _ *Env, o *addServerOptions) error { got = *o; return nil }),
			newGenerateCommand(env, func(_ context.Context, _ *Env, o *generateOptions) error { got = *o; return nil }),
			newBuildCommand(env, func(_ context.Context, _ *Env, o *buildOptions) error { got = *o; return nil }),
			newDevCommand(env, func(_ context.Context, _ *Env, o *devOptions) error { got = *o; return nil }),
			newDemoCommand(env, func(_ context.Context, _ *Env, o *demoOptions) error { got = *o; return nil }),
			newCallCommand(env, func(_ context.Context, _ *Env, o *callOptions) error { got = o.Args; return nil }),
		)
		return root
	}
	for _, test := range []struct {
		line string
		want any
	}{
		{"init", initOptions{Dir: "."}},
		{"init app --yes --name n --module m --auth-level admin --config c --force --dry-run --json",
			initOptions{Dir: "app", Yes: true, Name: "n", Module: "m", AuthLevel: "admin", Config: "c", Force: true, DryRun: true, JSON: true}},
		{"init --hosting flex --azd --github", initOptions{Dir: ".", Hosting: hosting{Kind: "flex", Extras: generator.Extras{AZD: true, GitHub: true}}}},
		{"generate --hosting custom --docker", generateOptions{Project: ".", Hosting: hosting{Kind: "custom", Extras: generator.Extras{Docker: true}}}},
		{"generate app --check", generateOptions{Project: "app", Check: true}},
		{"init --server s --auth none --env A=1 -- uvx x --y", initOptions{Dir: ".", Server: "s", Auth: "none", Env: []string{"A=1"}, Command: []string{"uvx", "x", "--y"}}},
		{"add-server s --project p --env A=1 --env B=2,3 --auth azure_obo --disabled -- npx -y x",
			addServerOptions{Project: "p", Name: "s", Env: []string{"A=1", "B=2,3"}, Auth: "azure_obo", Disabled: true, Command: []string{"npx", "-y", "x"}}},
		{"add-server --from f", addServerOptions{Project: ".", From: "f"}},
		{"build", buildOptions{Dir: ".", GOOS: "linux", GOARCH: "amd64"}},
		{"build app --goos windows --goarch arm64", buildOptions{Dir: "app", GOOS: "windows", GOARCH: "arm64"}},
		{"dev app --port 0", devOptions{Dir: "app"}},
		{"dev", devOptions{Dir: ".", Port: 7071}},
		{"demo --once", demoOptions{Once: true}},
		{"call s tool --arg a=1,2 --arg b={}", []string{"a=1,2", "b={}"}},
	} {
		got = nil
		cmd := root()
		cmd.SetArgs(strings.Fields(test.line))
		if err := cmd.Execute(); err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(initOptions{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestExitCodeFollowsTheError(t *testing.T) {
	t.Parallel()
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), nil, 0},
		{interrupted, nil, 0}, // it had been done when the interrupt came
		{t.Context(), errors.New("failed"), 1},
		{t.Context(), withHint(misusef("misused"), "hint"), 2},
		{t.Context(), errInterrupted, 130},
		{interrupted, errors.New("a consequence"), 130},
	} {
		if got := exitCode(test.ctx, test.err); got != test.want {
			t.Errorf("exit code of %v = %d, want %d", test.err, got, test.want)
		}
	}
}

func TestAnInterruptIsNoError(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	env, _, stderr := testEnv()
	if got := run(ctx, []string{"tools", "http://127.0.0.1:1/"}, env); got != exitInterrupted {
		t.Errorf("exit code = %d, want %d", got, exitInterrupted)
	}
	if got := stderr.String(); got != "" {
		t.Errorf("printed %q, want nothing", got)
	}
}

func TestColourNeedsATerminal(t *testing.T) {
	t.Parallel()
	env, _, stderr := testEnv()
	if code := run(t.Context(), []string{"inti"}, env); code != exitMisused {
		t.Errorf("exit code = %d, want %d", code, exitMisused)
	}
	if got := stderr.String(); strings.Contains(got, "\x1b") {
		t.Errorf("there are escape sequences in %q", got)
	}
}

func TestMissingProgramsHaveACure(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		"uvx":          "https://docs.astral.sh/uv",
		`/opt/bin/uvx`: "https://docs.astral.sh/uv",
		"NPX.exe":      "https://nodejs.org",
		"go":           "https://go.dev/dl",
		"other":        "install other",
	} {
		if got := installHint(program); !strings.Contains(got, want) {
			t.Errorf("the hint for %s is %q, want %q in it", program, got, want)
		}
	}
}

func TestServersAreNamedAfterWhatTheyRun(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"uvx mcp-server-time":                                    "time",
		"npx -y @modelcontextprotocol/server-everything@1.2":     "everything",
		"/usr/local/bin/github-mcp-server":                       "github",
		"./server.exe":                                           "server",
		"docker run -i --rm mcp/fetch":                           "fetch",
		"dnx --source x Acme.Dates.Mcp@1.2.0 --yes":              "Acme-Dates-Mcp",
		"dotnet tool exec Acme.Dates.Mcp -- x":                   "Acme-Dates-Mcp",
		"dotnet tool run acme-dates-mcp":                         "acme-dates",
		"uvx --from git+https://example.org/x.git acme-mcp==1.0": "acme",
		"---": "server",
	} {
		entry, err := newEntry(strings.Fields(line), nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := serverName(entry); got != want {
			t.Errorf("%s is named %q, want %q", line, got, want)
		}
	}
}
