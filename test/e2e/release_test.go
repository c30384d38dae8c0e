//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
)

// proxyWith lays out a module proxy in a folder, which serves this module, as it is here, as version.
func proxyWith(t *testing.T, version string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	m := module.Version{Path: "github.com/mcpfunc/mcpfunc", Version: version}
	proxy := t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	zipped, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := modzip.CreateFromDir(zipped, m, root); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Unix(0, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		version + ".info": info,
		version + ".mod":  []byte(text(t, filepath.Join(root, "go.mod"))),
		"list":            []byte(version + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return proxy
}

// What a user types once a version is published: install the command, and make a project that requires
// the module instead of carrying a copy of it.
func TestAReleaseInstallsFromAModuleProxy(t *testing.T) {
	const version = "v0.1.0"
	cached := goEnv(t, "GOMODCACHE")
	cache, bin, dir := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "app")
	env := append(os.Environ(),
		"GOPROXY=file://"+filepath.ToSlash(proxyWith(t, version))+",file://"+filepath.ToSlash(filepath.Join(cached, "cache", "download"))+","+goEnv(t, "GOPROXY"),
		"GONOSUMDB=*", "GOMODCACHE="+cache, "GOBIN="+bin, "GOFLAGS=-modcacherw", "CGO_ENABLED=0")
	run := func(in, program string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir, cmd.Env = in, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(bin, "go", "install", "-trimpath", "github.com/mcpfunc/mcpfunc/cmd/mcpfunc@"+version)
	command := filepath.Join(bin, "mcpfunc")
	if got := run(bin, command, "version"); !strings.HasPrefix(got, "mcpfunc "+version+" ") {
		t.Errorf("mcpfunc version: %s", got)
	}
	run(bin, command, "init", dir, "--yes", "--runtime", "module", "--server", "time", "--", "uvx", "mcp-server-time")
	if mod := text(t, filepath.Join(dir, "go.mod")); !strings.Contains(mod, "require github.com/mcpfunc/mcpfunc "+version+"\n") || strings.Contains(mod, "replace") {
		t.Errorf("go.mod of the project:\n%s", mod)
	}
	if _, err := os.Stat(filepath.Join(dir, "third_party")); !os.IsNotExist(err) {
		t.Errorf("the project carries a copy: %v", err)
	}
	run(dir, command, "add-server", "git", "--yes", "--", "uvx", "mcp-server-git")
	run(dir, command, "generate", "--check")
	run(dir, command, "build")
	if _, err := os.Stat(filepath.Join(dir, "third_party")); !os.IsNotExist(err) {
		t.Errorf("generate brings a copy: %v", err)
	}
	run(dir, "go", "mod", "tidy", "-diff")
}

// goEnv returns what the go command has for name.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
