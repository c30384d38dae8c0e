package e2etest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/fronttest"
	"github.com/mcpfunc/mcpfunc/internal/hostemu"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// Scaffold runs `mcpfunc init` as a user would and returns the project's directory. mcpfunc is the
// program, config what is in the mcp_config.json. With the environment variable MCPFUNC_E2E_MANIFEST the project
// has a manifest.
func Scaffold(t testing.TB, mcpfunc, config string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	file := filepath.Join(t.TempDir(), "mcp_config.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mcpfunc, "init", dir, "--config", file, "--yes")
	cmd.Env = Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mcpfunc init: %v\n%s", err, out)
	}
	resolved, err := filepath.EvalSymlinks(dir) // /proc names directories without links
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(throughManifest) != "" {
		Record(t, mcpfunc, resolved)
	}
	return resolved
}

// throughManifest is a setting of the tests: with it every project answers from a manifest what is in one.
const throughManifest = "MCPFUNC_E2E_MANIFEST"

// Record records what the servers of the project in dir answer before they are used.
func Record(t testing.TB, mcpfunc, dir string) {
	t.Helper()
	cmd := exec.Command(mcpfunc, "manifest", dir)
	cmd.Env = Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mcpfunc manifest: %v\n%s", err, out)
	}
}

// Build runs `go build` in the project, and returns the handler, which is where host.json looks for
// it.
func Build(t testing.TB, dir string) string {
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

// Serve starts the built project in dir under the host emulator, with the app settings NAME=value,
// and waits until its handler listens. The caller closes the host. Clients connect to url, which is the
// host's, or that of the real host's own HTTP front if MCPFUNC_E2E_FRONT names it: the same tests then
// run through both.
func Serve(t testing.TB, dir string, output *Transcript, settings ...string) (host *hostemu.Host, url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opts := hostemu.Options{Dir: dir, Listener: listener, Env: slices.Concat(Environ(), settings), Output: output, Logf: output.Logf}
	front := frontProgram(t)
	var address string
	if front != "" {
		address = fronttest.Address(t)
		opts.Public = known(t, address)
	}
	host, err = hostemu.Start(context.Background(), opts)
	if err != nil {
		t.Fatalf("start %s: %v\n%s", dir, err, output)
	}
	if err := host.Ready(testlimit.Context(t)); err != nil {
		host.Close()
		t.Fatalf("wait for the handler: %v\n%s", err, output)
	}
	if front == "" {
		return host, host.URL()
	}
	_, port, err := net.SplitHostPort(host.HandlerAddress())
	if err != nil {
		t.Fatal(err)
	}
	fronttest.StartAt(t, address, front, dir, os.Environ(), port)
	return host, "http://" + address
}

// A Transcript keeps the last of what programs wrote. Its methods may be called from any goroutine.
type Transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const transcriptLimit = 24 << 10 // bytes

// Write implements io.Writer.
func (w *Transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len()+len(p) > transcriptLimit {
		w.buf.Next(w.buf.Len() / 2)
	}
	w.buf.Write(p)
	return len(p), nil
}

// Logf writes a line.
func (w *Transcript) Logf(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *Transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
