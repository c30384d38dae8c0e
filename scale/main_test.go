//go:build e2e

package scale

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// built is where TestMain lets the programs go that several tests share.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if _, err := os.Stat(tool("stamp")); err != nil {
			fmt.Fprintf(os.Stderr, "scale: the tools are not installed: run e2e/tools/install.sh (%v)\n", err)
			return 1
		}
		dir, err := os.MkdirTemp("", "mcpfunc-scale-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "scale:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		built = dir
		return m.Run()
	}())
}

// tool is a path below the directory that e2e/tools/install.sh filled.
func tool(elem ...string) string {
	dir := os.Getenv("MCPFUNC_E2E_TOOLS")
	if dir == "" {
		home, _ := os.UserHomeDir() // empty only where HOME is unset; TestMain then says what is missing
		dir = filepath.Join(home, ".cache", "mcpfunc-e2e")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

var (
	node   = tool("npm", "node_modules", ".bin", "node")
	python = tool("python", "bin", "python")
)

// environment is the tests' own with the Python of the tools in front.
func environment() []string {
	path := tool("python", "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	return append(os.Environ(), "PATH="+path, "UV_PYTHON_DOWNLOADS=never")
}

var (
	mcpfunc    = sync.OnceValues(func() (string, error) { return goBuild("mcpfunc", "./cmd/mcpfunc") })
	fastServer = sync.OnceValues(func() (string, error) { return goBuild("fast", "./scale/server") })
)

func goBuild(name, pkg string) (string, error) {
	path := filepath.Join(built, name)
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = ".." // the repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// program is a Go program that was built once for all tests.
func program(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// everything is the version of server-everything that is installed.
func everything(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "e2e", "tools", "servers.txt"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "@modelcontextprotocol/server-everything"
	for line := range strings.Lines(string(raw)) {
		if _, spec, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(spec, name+"@") {
			return spec
		}
	}
	t.Fatalf("e2e/tools/servers.txt does not name %s", name)
	return ""
}

// pythonServer is the end-to-end tests' server on the Python SDK.
func pythonServer(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "e2e", "servers", "everything.py"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A server is one entry of a mcp_config.json.
type server map[string]any

// with returns the entry with what it is besides.
func (s server) with(more server) server {
	all := server{}
	for _, part := range []server{s, more} {
		for key, value := range part {
			all[key] = value
		}
	}
	return all
}

// scaffold makes and builds a project as a user would, and returns its directory and its handler.
func scaffold(t *testing.T, servers map[string]server) (dir, handler string) {
	t.Helper()
	config, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "app")
	file := filepath.Join(t.TempDir(), "mcp_config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", dir, "--config", file, "--yes"}, {"build", dir}} {
		cmd := exec.Command(program(t, mcpfunc), args...)
		cmd.Env = environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mcpfunc %s: %v\n%s", args[0], err, out)
		}
	}
	dir, err = filepath.EvalSymlinks(dir) // /proc names directories without links
	if err != nil {
		t.Fatal(err)
	}
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
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, host.CustomHandler.Description.DefaultExecutablePath)
}

// at is how often something is done: as the promise says, or less with -short.
func at(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// eventually asks until the answer is yes or the time is over, and says which. What is waited for
// happens in other processes.
func eventually(limit time.Duration, ask func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if ask() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
