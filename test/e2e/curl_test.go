//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// answer is what curl got.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// curl runs the real one with -i and takes its output apart.
func curl(t *testing.T, url string, args ...string) answer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "-i", "--max-time", "60", url}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %v: %v\n%s", args, err, out)
	}
	head, body, _ := bytes.Cut(out, []byte("\r\n\r\n"))
	a := answer{Header: make(http.Header), Body: string(body)}
	for i, line := range strings.Split(string(head), "\r\n") {
		if i == 0 {
			if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &a.Status); err != nil {
				t.Fatalf("status line %q: %v", line, err)
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		a.Header.Add(name, strings.TrimSpace(value))
	}
	return a
}

// post sends a message as the documented examples do: a content type, perhaps a session, no Accept.
func post(t *testing.T, url, session, message string, headers ...string) answer {
	t.Helper()
	args := []string{"-H", "Content-Type: application/json", "--data-binary", message}
	if session != "" {
		args = append(args, "-H", "mcp-session-id: "+session)
	}
	for _, header := range headers {
		args = append(args, "-H", header)
	}
	return curl(t, url, args...)
}

// rpc is a JSON-RPC answer.
type rpc struct {
	ID     json.RawMessage
	Result json.RawMessage
	Error  *struct {
		Code    int
		Message string
		Data    failure
	}
}

// failure is what the bridge says of a child that did not answer.
type failure struct {
	ExitCode *int `json:"exit_code"`
	Signal   string
	Stderr   []string
}

// message is the JSON-RPC answer in a body, JSON or the last event of a stream.
func (a answer) message(t *testing.T) rpc {
	t.Helper()
	body := a.Body
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
		for line := range strings.Lines(a.Body) {
			if data, ok := strings.CutPrefix(line, "data:"); ok && strings.TrimSpace(data) != "" {
				body = data
			}
		}
	}
	var m rpc
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("HTTP %d with %q: %v", a.Status, a.Body, err)
	}
	return m
}

// text is the text of a tool's answer.
func (a answer) text(t *testing.T) string {
	t.Helper()
	var result struct{ Content []struct{ Text string } }
	m := a.message(t)
	if err := json.Unmarshal(m.Result, &result); err != nil || len(result.Content) == 0 {
		t.Fatalf("HTTP %d with %q is no tool result: %v", a.Status, a.Body, err)
	}
	return result.Content[0].Text
}

const (
	initialize  = `{"jsonrpc": "2.0", "method": "initialize", "id": 1, "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "curl", "version": "1"}}}`
	initialized = `{"jsonrpc": "2.0", "method": "notifications/initialized"}`
	listTools   = `{"jsonrpc": "2.0", "method": "tools/list", "id": 2}`
)

func callTool(name, args string) string {
	return fmt.Sprintf(`{"jsonrpc": "2.0", "method": "tools/call", "id": 3, "params": {"name": %q, "arguments": %s}}`, name, args)
}

func pythonBridge(t *testing.T) *Bridge {
	t.Helper()
	return bridge(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q, "args": [%q]}}}`, python, pythonServer(t)))
}

// The session examples of the reference adapter's page: client A opens session-1 and makes several
// calls, client B opens session-2 meanwhile, and each has a process of its own.
func TestSessionsOfTheDocumentedExampleHaveTwoProcesses(t *testing.T) {
	t.Parallel()
	b := pythonBridge(t)
	url := b.URL + "/api/mcp"

	pids := make(map[string]string)
	for _, session := range []string{"session-1", "session-2"} {
		listen(t, url, session) // the page's first line: GET with an id of the client's choice
		if a := post(t, url, session, initialize); a.Status != http.StatusOK || a.message(t).Error != nil {
			t.Fatalf("initialize %s: HTTP %d %s", session, a.Status, a.Body)
		}
		if a := post(t, url, session, initialized); a.Status != http.StatusAccepted {
			t.Errorf("initialized %s: HTTP %d %s", session, a.Status, a.Body)
		}
		if a := post(t, url, session, listTools); !strings.Contains(a.Body, `"echo"`) {
			t.Errorf("tools/list %s: HTTP %d %s", session, a.Status, a.Body)
		}
		pids[session] = post(t, url, session, callTool("pid", "{}")).text(t)
	}
	if pids["session-1"] == pids["session-2"] {
		t.Errorf("session-1 and session-2 share process %s", pids["session-1"])
	}
	for session, pid := range pids {
		if !b.runs(t, pid) {
			t.Errorf("%s: /proc knows no process %s of the handler", session, pid)
		}
		if again := post(t, url, session, callTool("pid", "{}")).text(t); again != pid {
			t.Errorf("%s moved from process %s to %s", session, pid, again)
		}
	}
	if metrics := b.metrics(t); metrics.ActiveSessions != 2 || metrics.TotalProcesses != 2 {
		t.Errorf("metrics of two sessions: %+v", metrics)
	}

	if a := curl(t, url, "-X", "DELETE", "-H", "mcp-session-id: session-1"); a.Status/100 != 2 {
		t.Errorf("DELETE session-1: HTTP %d %s", a.Status, a.Body)
	}
	if !e2etest.Eventually(patience, func() bool { return !b.runs(t, pids["session-1"]) }) {
		t.Errorf("process %s outlived session-1", pids["session-1"])
	}
	if pid := post(t, url, "session-2", callTool("pid", "{}")).text(t); pid != pids["session-2"] {
		t.Errorf("session-2 moved from process %s to %s when session-1 ended", pids["session-2"], pid)
	}
}

// The page's "Session Headers" example: the very first message with an id is a tools/list.
func TestSessionOfAClientsOwnIDOpensOnFirstUse(t *testing.T) {
	t.Parallel()
	b := pythonBridge(t)
	a := post(t, b.URL+"/api/mcp", "client-unique-session-id", `{"jsonrpc": "2.0", "method": "tools/list", "id": 1}`)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, `"echo"`) {
		t.Errorf("tools/list as the first message: HTTP %d %s", a.Status, a.Body)
	}
}

// The page's "Automatic Session Creation": no id in the request, one in the answer.
func TestRequestWithoutSessionIsGivenOne(t *testing.T) {
	t.Parallel()
	b := pythonBridge(t)
	url := b.URL + "/api/mcp"
	first := post(t, url, "", callTool("pid", "{}"))
	session := first.Header.Get("Mcp-Session-Id")
	if first.Status != http.StatusOK || session == "" {
		t.Fatalf("a call without a session: HTTP %d, session %q, %s", first.Status, session, first.Body)
	}
	if pid, want := post(t, url, session, callTool("pid", "{}")).text(t), first.text(t); pid != want {
		t.Errorf("the given session is process %s, want %s", pid, want)
	}
}

// "Process Recovery: handles MCP server crashes with automatic restart".
func TestCrashIsAnsweredAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	b := pythonBridge(t)
	url := b.URL + "/api/mcp"
	session := post(t, url, "", initialize).Header.Get("Mcp-Session-Id")
	post(t, url, session, initialized)
	before := post(t, url, session, callTool("pid", "{}")).text(t)

	m := post(t, url, session, callTool("crash", "{}")).message(t)
	if m.Error == nil || m.Error.Code != -32603 || string(m.ID) != "3" || m.Error.Data.Signal == "" {
		t.Errorf("the call that killed the server: %+v (%+v)", m, m.Error)
	}
	after := post(t, url, session, callTool("pid", "{}")).text(t)
	if after == before || !b.runs(t, after) {
		t.Errorf("process %s before the crash and %s after", before, after)
	}
}

func TestIDOfOursThatIsNotAliveIs404(t *testing.T) {
	t.Parallel()
	b := pythonBridge(t)
	url := b.URL + "/api/mcp"
	session := post(t, url, "", initialize).Header.Get("Mcp-Session-Id")
	if a := curl(t, url, "-X", "DELETE", "-H", "mcp-session-id: "+session); a.Status/100 != 2 {
		t.Errorf("DELETE: HTTP %d %s", a.Status, a.Body)
	}
	if a := post(t, url, session, listTools); a.Status != http.StatusNotFound {
		t.Errorf("a message to an ended session: HTTP %d %s, want 404", a.Status, a.Body)
	}
}

// listen keeps a GET stream open in the background until the test ends.
func listen(t *testing.T, url, session string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "curl", "-sS", "-N", "-H", "Accept: text/event-stream", "-H", "mcp-session-id: "+session, url)
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait() // an error: it was killed
	})
}

// runs says whether a process of this number descends from the handler.
func (b *Bridge) runs(t *testing.T, pid string) bool {
	t.Helper()
	for _, p := range processesOf(t, b.handler) {
		if fmt.Sprint(p.PID) == pid {
			return true
		}
	}
	return false
}

type metrics struct {
	ActiveSessions int `json:"active_sessions"`
	TotalProcesses int `json:"total_processes"`
}

func (b *Bridge) metrics(t *testing.T) metrics {
	t.Helper()
	var m metrics
	a := curl(t, b.URL+"/api/session_metrics")
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatalf("session_metrics: HTTP %d %s: %v", a.Status, a.Body, err)
	}
	return m
}
