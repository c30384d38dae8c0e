package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newDemoApp serves the demo's server over streamable HTTP, behind an optional guard.
func newDemoApp(t *testing.T, guard func(http.Handler) http.Handler) *httptest.Server {
	t.Helper()
	var handler http.Handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return newDemoServer() }, nil)
	if guard != nil {
		handler = guard(handler)
	}
	app := httptest.NewServer(handler)
	t.Cleanup(app.Close)
	return app
}

// mcpfuncRun runs a command line and returns what came of it.
func mcpfuncRun(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	env, out, errs := testEnv()
	env.Stdin = strings.NewReader(stdin)
	code = run(t.Context(), args, env)
	return code, out.String(), errs.String()
}

func TestToolsAreListedWithTheirArguments(t *testing.T) {
	t.Parallel()
	app := newDemoApp(t, nil)
	code, stdout, stderr := mcpfuncRun(t, "", "tools", app.URL)
	want := "" +
		"TOOL        ARGUMENTS  DESCRIPTION\n" +
		"add         a b        Add two numbers.\n" +
		"echo        message    Return a message.\n" +
		"slow-count  to [ms]    Count, with one progress notification per step.\n"
	if code != 0 || stdout != want || stderr != "" {
		t.Errorf("code %d, stderr %q, stdout (-want +got):\n%s", code, stderr, cmp.Diff(want, stdout))
	}

	code, stdout, _ = mcpfuncRun(t, "", "tools", app.URL, "--json")
	var list struct{ Tools []mcp.Tool }
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 0 || len(list.Tools) != 3 {
		t.Errorf("code %d, %d tools, %v", code, len(list.Tools), err)
	}
}

func TestCallsPrintWhatTheToolAnswers(t *testing.T) {
	t.Parallel()
	app := newDemoApp(t, nil)
	for _, test := range []struct {
		stdin, line  string
		code         int
		stdout, said string // said is a part of stderr
	}{
		{line: `add {"a":2,"b":40}`, stdout: "42\n"},
		{line: `add - `, stdin: `{"a":1,"b":2}`, stdout: "3\n"},
		{line: `add --arg a=1 --arg b=2.5`, stdout: "3.5\n"},
		{line: `add {"a":1} --arg b=2`, stdout: "3\n"},
		{line: `echo --arg message=007`, stdout: "007\n"}, // text, as the schema says
		{line: `echo --arg message=a=b`, stdout: "a=b\n"},
		{line: `slow-count {"to":2,"ms":1}`, stdout: "counted to 2\n", said: "progress 2/2 2\n"},
		{line: `slow-count {"to":1000}`, code: 1, said: `mcpfunc: call: ` + app.URL + `: the tool "slow-count" failed: count to between 1 and 100`},
		{line: `subtract {}`, code: 1, said: `unknown tool "subtract"`},
		{line: `subtract --arg a=1`, code: 1, said: "hint: there are add, echo, slow-count\n"},
		{line: `echo null`, code: 2, said: "the arguments are not a JSON object"},
		{line: `echo --arg message`, code: 2, said: `invalid argument "message": want name=value`},
	} {
		code, stdout, stderr := mcpfuncRun(t, test.stdin, append([]string{"call", app.URL}, strings.Fields(test.line)...)...)
		if code != test.code || stdout != test.stdout || !strings.Contains(stderr, test.said) {
			t.Errorf("call %s: code %d, stdout %q, stderr %q", test.line, code, stdout, stderr)
		}
	}
}

func TestResultsArePrintedAsJSON(t *testing.T) {
	t.Parallel()
	app := newDemoApp(t, nil)
	code, stdout, _ := mcpfuncRun(t, "", "call", app.URL, "echo", `{"message":"<hello>"}`, "--json")
	var result mcp.CallToolResult
	if err := json.Unmarshal([]byte(stdout), &result); err != nil {
		t.Fatal(err)
	}
	if got := contentText(result.Content); code != 0 || got != "<hello>" {
		t.Errorf("code %d, text %q", code, got)
	}
}

func TestHeadersReachTheServer(t *testing.T) {
	t.Parallel()
	app := newDemoApp(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer abc" || r.Header.Get("X-Functions-Key") != "k:ey" {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":{"code":"authentication_required","message":"Missing or invalid Authorization header"}}`)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	code, _, stderr := mcpfuncRun(t, "", "tools", app.URL, "--token", "abc", "--header", "x-functions-key: k:ey")
	if code != 0 {
		t.Errorf("code %d: %s", code, stderr)
	}

	code, _, stderr = mcpfuncRun(t, "", "tools", app.URL)
	want := "mcpfunc: tools: " + app.URL + ": 401 Unauthorized: Missing or invalid Authorization header\nhint: the server requires credentials"
	if code != 1 || !strings.HasPrefix(stderr, want) {
		t.Errorf("code %d, stderr %q, want %q", code, stderr, want)
	}

	env, _, errs := testEnv()
	env.Environ = []string{"MCPFUNC_TOKEN=abc"}
	if code := run(t.Context(), []string{"tools", app.URL, "--header", "X-Functions-Key:k:ey"}, env); code != 0 {
		t.Errorf("with MCPFUNC_TOKEN: code %d: %s", code, errs)
	}
	env, _, errs = testEnv()
	env.Environ = []string{"MCPFUNC_TOKEN=abc", "MCPFUNC_KEY=k:ey"}
	if code := run(t.Context(), []string{"tools", app.URL}, env); code != 0 {
		t.Errorf("with MCPFUNC_KEY: code %d: %s", code, errs)
	}
}

func TestATokenIsNotSentToAnotherHost(t *testing.T) {
	t.Parallel()
	leaked := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked <- r.Header.Get("Authorization")
		http.NotFound(w, r)
	}))
	t.Cleanup(other.Close)
	app := newDemoApp(t, func(http.Handler) http.Handler {
		return http.RedirectHandler(other.URL, http.StatusTemporaryRedirect)
	})
	if code, _, _ := mcpfuncRun(t, "", "tools", app.URL, "--token", "abc"); code != 1 {
		t.Errorf("code %d, want 1", code)
	}
	close(leaked)
	seen := 0
	for header := range leaked {
		seen++
		if header != "" {
			t.Errorf("the other host got %q", header)
		}
	}
	if seen == 0 {
		t.Error("the redirect was not followed, so nothing is shown")
	}
}

func TestRefusalsHaveACure(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	code, _, stderr := mcpfuncRun(t, "", "tools", "time", "--url", gone.URL)
	want := "mcpfunc: tools: " + gone.URL + "/api/mcp/time: nothing is listening there\nhint: \"mcpfunc dev\" serves a project\n"
	if code != 1 || stderr != want {
		t.Errorf("code %d, stderr %q, want %q", code, stderr, want)
	}

	empty := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(empty.Close)
	code, _, stderr = mcpfuncRun(t, "", "tools", empty.URL)
	want = "mcpfunc: tools: " + empty.URL + ": 404 Not Found\nhint: \"mcpfunc list\""
	if code != 1 || !strings.HasPrefix(stderr, want) {
		t.Errorf("code %d, stderr %q, want %q", code, stderr, want)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	silent := newDemoApp(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then is a client that leaves noticed
			<-r.Context().Done()
		})
	})
	code, _, stderr := mcpfuncRun(t, "", "tools", silent.URL, "--timeout", "50ms")
	want := "mcpfunc: tools: " + silent.URL + ": no answer within 50ms\nhint: --timeout allows more time\n"
	if code != 1 || !strings.HasSuffix(stderr, want) {
		t.Errorf("code %d, stderr %q, want %q", code, stderr, want)
	}
}

func TestTheDemoServerEndsWithItsInput(t *testing.T) {
	t.Parallel()
	env, stdout, _ := testEnv()
	stdin, client := io.Pipe()
	env.Stdin = stdin
	ended := make(chan error, 1)
	go func() { ended <- runDemoServer(context.Background(), env) }()

	_, err := io.WriteString(client, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\n")
	if err != nil {
		t.Fatal(err)
	}
	stdout.mustAwait(t, 0, `"id":1`)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheLastWordsOfADeadServerAreShown(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		if json.Unmarshal(body, &m) != nil || m.Method != "initialize" {
			w.WriteHeader(http.StatusBadRequest) // no protocol version without sessions
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32022,"message":"protocol version 2026-07-28 is not supported","data":{"supported":["2025-11-25"],"requested":"2026-07-28"}}}`)
			return
		}
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32603,"message":"the server exited with code 3","data":{"reason":"exited","exit_code":3,"stderr":["one","two","three","four"],"hint":"install it"}}}`)
	}))
	t.Cleanup(app.Close)
	code, _, stderr := mcpfuncRun(t, "", "tools", app.URL)
	want := `mcpfunc: tools: ` + app.URL + `: calling "initialize": the server exited with code 3; it said: two; three; four` + "\nhint: install it\n"
	if code != 1 || stderr != want {
		t.Errorf("code %d, stderr (-want +got):\n%s", code, cmp.Diff(want, stderr))
	}
}
