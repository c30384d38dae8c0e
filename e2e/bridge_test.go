//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/hostemu"
)

// Bridge is a project that was scaffolded, built and is being served.
type Bridge struct {
	URL     string // http://127.0.0.1:port
	Dir     string // the project
	handler string // the built program
}

// bridge makes a project of an mcp_config.json and serves it under the host emulator until the test
// ends. It then fails the test if anything that the project started is still alive.
func bridge(t *testing.T, config string, env ...string) *Bridge {
	t.Helper()
	return serve(t, scaffold(t, config), env...)
}

// serve is bridge for a project that is there.
func serve(t *testing.T, dir string, env ...string) *Bridge {
	t.Helper()
	b := &Bridge{Dir: dir, handler: build(t, dir)}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	output := new(transcript)
	host, err := hostemu.Start(context.Background(), hostemu.Options{
		Dir:      dir,
		Listener: listener,
		Env:      append(environment(), env...),
		Output:   output,
		Logf:     output.Logf,
	})
	if err != nil {
		t.Fatalf("start %s: %v\n%s", dir, err, output)
	}
	t.Cleanup(func() {
		alive := processesOf(t, b.handler)
		if err := host.Close(); err != nil {
			t.Errorf("close the host: %v", err)
		}
		assertGone(t, alive, dir)
		if t.Failed() {
			t.Logf("the project's output:\n%s", output)
		}
	})
	starting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := host.Ready(starting); err != nil {
		t.Fatalf("wait for the handler: %v", err)
	}
	b.URL = host.URL()
	return b
}

// Endpoint is the address of one server of the project.
func (b *Bridge) Endpoint(server string) string { return b.URL + "/api/mcp/" + server }

// scaffold runs `mcpfunc init` as a user would and returns the project's directory.
func scaffold(t *testing.T, config string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	file := filepath.Join(t.TempDir(), "mcp_config.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, mcpfunc), "init", dir, "--config", file, "--yes")
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mcpfunc init: %v\n%s", err, out)
	}
	resolved, err := filepath.EvalSymlinks(dir) // /proc names directories without links
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// build runs `go build` in the project, to the place where host.json looks for the handler.
func build(t *testing.T, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "host.json"))
	if err != nil {
		t.Fatal(err)
	}
	var host struct {
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string `json:"defaultExecutablePath"`
			} `json:"description"`
		} `json:"customHandler"`
	}
	if err := json.Unmarshal(raw, &host); err != nil {
		t.Fatalf("host.json: %v", err)
	}
	handler := filepath.Join(dir, host.CustomHandler.Description.DefaultExecutablePath)

	// -trimpath makes the build cache good for every project, whatever its directory.
	cmd := exec.Command("go", "build", "-trimpath", "-o", handler, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in a scaffold: %v\n%s", err, out)
	}
	return handler
}

// transcript keeps the last of what the host and the handler wrote.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const transcriptLimit = 16 << 10 // bytes

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len()+len(p) > transcriptLimit {
		w.buf.Next(w.buf.Len() / 2)
	}
	w.buf.Write(p)
	return len(p), nil
}

func (w *transcript) Logf(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
