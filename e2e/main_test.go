//go:build e2e

package e2e

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built is where TestMain lets the programs go that several tests share.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if _, err := os.Stat(tool("stamp")); err != nil {
			fmt.Fprintf(os.Stderr, "e2e: the tools are not installed: run e2e/tools/install.sh (%v)\n", err)
			return 1
		}
		dir, err := os.MkdirTemp("", "mcpfunc-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		built = dir
		return m.Run()
	}())
}

// tool is a path below the directory that tools/install.sh filled.
func tool(elem ...string) string {
	dir := os.Getenv("MCPFUNC_E2E_TOOLS")
	if dir == "" {
		home, _ := os.UserHomeDir() // empty only where HOME is unset; TestMain then says what is missing
		dir = filepath.Join(home, ".cache", "mcpfunc-e2e")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

var (
	node   = tool("npm", "node_modules", ".bin", "node") // Node 22: the conformance suite starts on no older one
	python = tool("python", "bin", "python")
)

// environment is the tests' own with uvx and the Python of the tools in front.
func environment() []string {
	path := tool("python", "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	return append(os.Environ(), "PATH="+path, "UV_PYTHON_DOWNLOADS=never")
}

//go:embed tools/servers.txt
var servers string

// pinned adds the version to the name of a server package: "mcp-server-git" → "mcp-server-git@2026.10.19".
func pinned(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(servers) {
		if _, spec, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(spec, name+"@") {
			return spec
		}
	}
	t.Fatalf("tools/servers.txt does not name %s", name)
	return ""
}

var (
	mcpfunc           = sync.OnceValues(func() (string, error) { return goBuild("mcpfunc", "./cmd/mcpfunc") })
	conformanceServer = sync.OnceValues(func() (string, error) {
		return goBuild("everything-server", "github.com/modelcontextprotocol/go-sdk/conformance/everything-server")
	})
)

// program is a Go program that was built once for all tests.
func program(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func goBuild(name, pkg string) (string, error) {
	path := filepath.Join(built, name)
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = ".." // the repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}
