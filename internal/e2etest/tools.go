// Package e2etest holds what the tests with real programs share: the tools of test/e2e/tools/install.sh, Go
// programs that are built once, projects that are scaffolded and served, and third-party servers. Only tests
// import it.
package e2etest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Tool is a path below the directory that test/e2e/tools/install.sh filled.
func Tool(elem ...string) string {
	dir := os.Getenv("MCPFUNC_E2E_TOOLS")
	if dir == "" {
		home, _ := os.UserHomeDir() // empty only where HOME is unset; Programs.Main then says what is missing
		dir = filepath.Join(home, ".cache", "mcpfunc-e2e")
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

// Node is the tools' Node 22: the conformance suite starts on no older one.
func Node() string { return Tool("npm", "node_modules", ".bin", "node") }

// Python is the tools' Python.
func Python() string { return Tool("python", "bin", "python") }

// Environ is the tests' own environment with uvx and the Python of the tools in front.
func Environ() []string {
	path := Tool("python", "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	return append(os.Environ(), "PATH="+path, "UV_PYTHON_DOWNLOADS=never")
}

// Pinned adds the version to the name of a server package: "mcp-server-git" → "mcp-server-git@2026.10.19".
func Pinned(t testing.TB, name string) string {
	t.Helper()
	servers, err := os.ReadFile(File(t, "test", "e2e", "tools", "servers.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(servers)) {
		if _, spec, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(spec, name+"@") {
			return spec
		}
	}
	t.Fatalf("test/e2e/tools/servers.txt does not name %s", name)
	return ""
}

// File is the absolute path of a file of the repository.
func File(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// repository is the folder with the go.mod: the one that tests run in, or one above it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil || dir == filepath.Dir(dir) {
			return dir, err
		}
		dir = filepath.Dir(dir)
	}
}
