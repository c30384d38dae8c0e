//go:build unix

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A session goes on when dev restarts the handler, whether the key is in local.settings.json or
// dev's own; with the one in the file also when dev itself is restarted.
func TestSessionOutlastsAReload(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "app")
	const servers = `{"mcpServers": {"demo": {"command": "mcpfunc", "args": ["demo-server"], "sessions": {"on_lost": "resurrect"}}}}`
	from := filepath.Join(t.TempDir(), "mcp_config.json")
	writeFile(t, from, servers)
	if out, err := exec.Command("mcpfunc", "init", dir, "--config", from).CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}

	dev := startDev(t, dir)
	session := dev.open(t)
	writeFile(t, filepath.Join(dir, "mcp_config.json"), strings.Replace(servers, `"args"`, `"description": "changed", "args"`, 1))
	dev.says(t, "reloaded after ")
	dev.echo(t, session)
	dev.end(t)

	dev = startDev(t, dir)
	dev.echo(t, session)
	dev.end(t)

	settings := filepath.Join(dir, "local.settings.json")
	const without = `{"Values": {"FUNCTIONS_WORKER_RUNTIME": "custom"}}`
	writeFile(t, settings, without)
	dev = startDev(t, dir)
	session = dev.open(t)
	writeFile(t, filepath.Join(dir, "mcp_config.json"), servers)
	dev.says(t, "reloaded after ")
	dev.echo(t, session)
	dev.end(t)
	if got, err := os.ReadFile(settings); err != nil || string(got) != without {
		t.Errorf("dev made of local.settings.json %s, %v", got, err)
	}
}

// A devServer is a running mcpfunc dev.
type devServer struct {
	cmd *exec.Cmd
	url string // of the server demo
	log chan string
}

func startDev(t *testing.T, dir string) *devServer {
	t.Helper()
	d := &devServer{cmd: exec.Command("mcpfunc", "dev", dir, "--port", "0"), log: make(chan string, 1000)}
	d.cmd.Env = withPrebuiltHandler(t)
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() }) // an error says that it has ended, as it should
	go func() {
		defer close(d.log)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			d.log <- lines.Text()
		}
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("dev printed %q, %v", line, err)
	}
	_, d.url, _ = strings.Cut(strings.TrimSpace(line), "\t")
	d.says(t, "for changes in")
	return d
}

// says waits for a line of the log.
func (d *devServer) says(t *testing.T, what string) {
	t.Helper()
	var said []string
	for deadline := time.After(testlimit.Wait()); ; {
		select {
		case line, open := <-d.log:
			if said = append(said, line); strings.Contains(line, what) {
				return
			}
			if !open {
				t.Fatalf("dev ended, and never said %q:\n%s", what, strings.Join(said, "\n"))
			}
		case <-deadline:
			t.Fatalf("dev never said %q:\n%s", what, strings.Join(said, "\n"))
		}
	}
}

// end presses Ctrl-C.
func (d *devServer) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range d.log { // until everything that holds the pipe has ended
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("dev ended with %v", err)
	}
}

// open begins a session as a client does, and uses it.
func (d *devServer) open(t *testing.T) (id string) {
	t.Helper()
	id, answer := d.post(t, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	if id == "" {
		t.Fatalf("there is no session: %s", answer)
	}
	d.post(t, id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	d.echo(t, id)
	return id
}

// echo calls a tool in a session that must be there.
func (d *devServer) echo(t *testing.T, session string) {
	t.Helper()
	_, answer := d.post(t, session, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":"still here"}}}`)
	if !strings.Contains(answer, `"text":"still here"`) {
		t.Errorf("echo answers %s", answer)
	}
}

func (d *devServer) post(t *testing.T, session, body string) (id, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Errorf("POST answers %s, %v: %s", resp.Status, err, data)
	}
	return resp.Header.Get("Mcp-Session-Id"), string(data)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
