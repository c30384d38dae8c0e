//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/funczip"
)

// planted is a secret of the host, which no server may see.
const planted = "planted-2b8f41"

// A question and its packedAnswer are those of test/e2e/flex.
type (
	question struct {
		Server, Tool string
		Args         map[string]any
	}
	packedAnswer struct {
		Server, Text, Log string
		Tools             []string
		Listed            time.Duration
	}
)

// What is published answers where it will run: the zip that Core Tools makes, unpacked read-only with
// nothing but the handler executable, without a home, without a package runner, without a network.
func TestPackedServersAnswerFromThePackageAlone(t *testing.T) {
	t.Parallel()
	version := pythonVersion(t)
	dir := scaffold(t, asJSON(t, map[string]any{"mcpServers": map[string]any{
		"time":       map[string]any{"command": "uvx", "args": []string{e2etest.Pinned(t, "mcp-server-time"), "--local-timezone", "${ZONE:-UTC}"}},
		"everything": map[string]any{"command": "npx", "args": []string{"-y", e2etest.Pinned(t, "@modelcontextprotocol/server-everything")}},
		"era":        map[string]any{"command": "./bin/era", "args": []string{"2025-11-25"}},
	}}))
	copyProgram(t, filepath.Join(dir, "bin", "era"), eraServer(t))
	config := readFile(t, filepath.Join(dir, "mcp_config.json"))

	run := func(args ...string) string {
		cmd := exec.Command(mcpfunc(t), args...)
		cmd.Dir, cmd.Env = dir, e2etest.Environ()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("mcpfunc %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
		}
		return string(out)
	}
	run("build")
	t.Logf("mcpfunc pack:\n%s", run("pack", "--python", version))
	run("pack", "--check")
	if got := readFile(t, filepath.Join(dir, "mcp_config.json")); got != config {
		t.Errorf("packing changed mcp_config.json:\n%s", got)
	}
	assertNoAddresses(t, filepath.Join(dir, "mcp_lock"), filepath.Join(dir, "packed", "mcp_packed.json"))
	before := readFile(t, filepath.Join(dir, "sbom.cdx.json")) + readFile(t, filepath.Join(dir, "packed", "mcp_packed.json"))
	run("pack", "--no-probe")
	if before != readFile(t, filepath.Join(dir, "sbom.cdx.json"))+readFile(t, filepath.Join(dir, "packed", "mcp_packed.json")) {
		t.Error("packing again from the same lock gave something else")
	}

	questions := []question{
		{"time", "convert_time", map[string]any{"source_timezone": "Asia/Tokyo", "time": "12:00", "target_timezone": "UTC"}},
		{"everything", "get-env", map[string]any{}},
		{"era", "echo", map[string]any{"message": "from a program"}},
	}
	wants := []string{"T03:00:00+00:00", "PATH", "Echo: from a program"}
	deployed := unzip(t, publish(t, dir))
	packed := askSealed(t, deployed, questions)
	for i, a := range packed {
		if !strings.Contains(a.Text, wants[i]) {
			t.Errorf("%s answers %q, want %q in it", a.Server, a.Text, wants[i])
		}
		if strings.Contains(a.Text, planted) {
			t.Errorf("%s sees what the host keeps to itself: %s", a.Server, a.Text)
		}
		if strings.Contains(a.Log, "starts as written") {
			t.Errorf("%s does not start as packed:\n%s", a.Server, a.Log)
		}
	}

	// The same project as it is without mcpfunc pack, on a machine that has everything.
	if err := os.RemoveAll(filepath.Join(dir, "packed")); err != nil {
		t.Fatal(err)
	}
	caches := t.TempDir()
	cold := append(e2etest.Environ(), "UV_CACHE_DIR="+filepath.Join(caches, "uv"), "npm_config_cache="+filepath.Join(caches, "npm"))
	coldly := ask(t, exec.Command(flex(t), dir), cold, questions[:2])
	warmly := ask(t, exec.Command(flex(t), dir), e2etest.Environ(), questions[:2])
	t.Log("from the start of the handler to tools/list:   packed  unpacked, warm cache  unpacked, cold cache")
	for i := range coldly {
		t.Logf("%-42s %10.2fs %20.2fs %21.2fs", packed[i].Server, packed[i].Listed.Seconds(), warmly[i].Listed.Seconds(), coldly[i].Listed.Seconds())
	}
	t.Logf("%-42s %10.2fs", packed[2].Server, packed[2].Listed.Seconds())
}

// publish makes the zip of a project.
func publish(t *testing.T, dir string) string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	path := filepath.Join(t.TempDir(), "app.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := funczip.Write(f, root, "handler"); err != nil {
		t.Fatal(err)
	}
	return path
}

// unzip unpacks a zip as the platform mounts it: with its modes, and nobody may write.
func unzip(t *testing.T, path string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := filepath.Join(t.TempDir(), "wwwroot")
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { chmod(t, dir, 0o700, func(fs.FileMode) fs.FileMode { return 0o600 }) }) // or it could not be removed
	var runnable []string
	for _, f := range z.File {
		if f.Mode()&0o111 != 0 {
			runnable = append(runnable, f.Name)
		}
		if err := os.Chmod(filepath.Join(dir, f.Name), f.Mode().Perm()&0o555); err != nil {
			t.Fatal(err)
		}
		if top, _, _ := strings.Cut(f.Name, "/"); top == "mcp_lock" || top == "third_party" {
			t.Errorf("%s is published", f.Name)
		}
	}
	if !slices.Equal(runnable, []string{"handler"}) {
		t.Fatalf("executable in the package: %q, want the handler alone", runnable)
	}
	chmod(t, dir, 0o555, func(mode fs.FileMode) fs.FileMode { return mode & 0o555 })
	return dir
}

// chmod sets the modes of everything in dir.
func chmod(t *testing.T, dir string, folders fs.FileMode, files func(fs.FileMode) fs.FileMode) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, folders)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, files(info.Mode().Perm()))
	})
	if err != nil {
		t.Error(err)
	}
}

// askSealed asks where the folder is read-only for everybody and there is no network. Where the
// system lets nobody make such a place, modes and a proxy that is not there have to do.
// On PATH are the interpreters of a stack, and these programs of this machine.
func askSealed(t *testing.T, dir string, questions []question, programs ...string) []packedAnswer {
	t.Helper()
	return askSealedWith(t, basePython(t), dir, questions, programs...)
}

// basePython is the interpreter behind the tools' own environment, whose packages would hide what is missing.
func basePython(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(python, "-c", "import sys; print(sys._base_executable)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// askSealedWith is askSealed with another Python.
func askSealedWith(t *testing.T, python, dir string, questions []question, programs ...string) []packedAnswer {
	t.Helper()
	env := []string{
		"PATH=" + interpreters(t, python, programs...), "FUNCTIONS_WORKER_RUNTIME=custom", "AZURE_FUNCTIONS_ENVIRONMENT=Production", "FUNCTIONS_EXTENSION_VERSION=~4",
		"WEBSITE_SITE_NAME=app", "WEBSITE_POD_NAME=pod-1", "WEBSITE_SKU=FlexConsumption", "LEGION_SERVICE_HOST=1",
		"AzureWebJobsStorage=" + planted, "IDENTITY_ENDPOINT=http://127.0.0.1:9/" + planted, "IDENTITY_HEADER=" + planted,
		"APPLICATIONINSIGHTS_CONNECTION_STRING=" + planted, "WEBSITE_AUTH_ENCRYPTION_KEY=" + planted,
	}
	seal := []string{"--net", "--mount"}
	if os.Getuid() != 0 {
		seal = append([]string{"--user", "--map-root-user"}, seal...)
	}
	if out, err := exec.Command("unshare", append(seal, "true")...).CombinedOutput(); err != nil {
		t.Logf("no network of its own here (%v: %s): a proxy that is not there stands in for none, and modes for a read-only mount", err, out)
		return ask(t, exec.Command(flex(t), dir), append(env, "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9"), questions)
	}
	return ask(t, exec.Command("unshare", append(seal, flex(t), "-sealed", dir)...), env, questions)
}

func ask(t *testing.T, cmd *exec.Cmd, env []string, questions []question) []packedAnswer {
	t.Helper()
	cmd.Env = env
	cmd.Stdin = strings.NewReader(asJSON(t, questions))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	var answers []packedAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions, %v", len(answers), len(questions), err)
	}
	return answers
}

// interpreters is a PATH with what a stack brings, programs that a server runs, and nothing else: no package
// runner, no shell.
func interpreters(t *testing.T, python string, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"python3": python, "node": node} {
		real, err := filepath.EvalSymlinks(target)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pythonVersion is that of the tools, as major.minor.
func pythonVersion(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// assertNoAddresses fails the test if a lock says where packages were fetched from: that is an affair
// of the machine, and may hold what opens it.
func assertNoAddresses(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "tools.json" {
				return err
			}
			for line := range strings.Lines(readFile(t, path)) {
				// npm copies where to give to a package's author.
				if strings.Contains(line, "://") && !strings.Contains(line, `"url":`) && !strings.Contains(line, `"funding":`) {
					t.Errorf("%s holds an address: %s", path, line)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func copyProgram(t *testing.T, to, from string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(readFile(t, from)), 0o755); err != nil {
		t.Fatal(err)
	}
}
