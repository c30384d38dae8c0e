//go:build unix

package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFlexProjectIsServed goes the whole way with a project that has its routes in host.json: scaffold,
// build, the host under the profile, a call, and what is on every app.
func TestFlexProjectIsServed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "app")
	if out, err := exec.Command("mcpfunc", "init", dir, "--hosting", "flex", "--server", "demo", "--", "mcpfunc", "demo-server").CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	dev := exec.Command("mcpfunc", "dev", dir, "--port", "0")
	dev.Env = withPrebuiltHandler(t)
	var log bytes.Buffer
	dev.Stderr = &log
	stdout, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Process.Kill() }) // an error says that it has ended, as it should
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("no endpoint: %v, %v:\n%s", err, dev.Wait(), &log)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(line), "\t")
	if out, err := exec.Command("mcpfunc", "call", url, "echo", `{"message":"hello"}`).Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("echo answers %q, %v", out, err)
	}
	site := strings.TrimSuffix(url, "/api/mcp/demo")
	for path, want := range map[string]int{
		"/": http.StatusOK, "/api/health": http.StatusOK, "/api/metrics": http.StatusOK,
		"/api/mcp/other": http.StatusNotFound, "/elsewhere": http.StatusNotFound,
	} {
		resp, err := http.Get(site + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	if err := dev.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := dev.Wait(); err != nil {
		t.Errorf("dev ended with %v:\n%s", err, &log)
	}
}
