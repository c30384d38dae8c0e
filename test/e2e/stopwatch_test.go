//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// A person who has never seen the project, with a clone of it: the demo, their own configuration, and what
// VS Code wants to know. The times are printed (-v) and asserted nowhere: they are those of this machine,
// whose build cache may be warm.
func TestFirstTenMinutes(t *testing.T) {
	home := t.TempDir()
	app, mcpfunc := filepath.Join(home, "myapp"), filepath.Join(home, "bin", "mcpfunc")
	start := time.Now()
	step := func(name string, do func()) {
		before := time.Now()
		do()
		t.Logf("%6.1f s  %6.1f s  %s", time.Since(start).Seconds(), time.Since(before).Seconds(), name)
	}
	do := func(dir, program string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		cmd.Env = append(e2etest.Environ(), "GOBIN="+filepath.Dir(mcpfunc))
		out, err := cmd.Output()
		if err != nil {
			said := ""
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				said = string(exit.Stderr)
			}
			t.Fatalf("%s %v: %v\n%s", program, args, err, said)
		}
		return string(out)
	}

	step("go run ./cmd/mcpfunc demo --once", func() {
		do(filepath.Join("..", ".."), "go", "run", "./cmd/mcpfunc", "demo", filepath.Join(home, "demo"), "--once")
	})
	step("go install ./cmd/mcpfunc", func() { do(filepath.Join("..", ".."), "go", "install", "./cmd/mcpfunc") })
	step("mcpfunc init myapp, with a configuration that other clients use", func() {
		write(t, filepath.Join(home, ".mcp.json"), `{"mcpServers": {"time": {"command": "uvx", "args": ["`+e2etest.Pinned(t, "mcp-server-time")+`"]}}}`)
		do(home, mcpfunc, "init", app)
	})

	said := new(e2etest.Transcript)
	dev := exec.CommandContext(t.Context(), mcpfunc, "dev", app, "--port", "0")
	dev.Cancel = func() error { return dev.Process.Signal(os.Interrupt) }
	dev.Env, dev.Stderr = e2etest.Environ(), said
	var url string
	step("mcpfunc dev myapp", func() {
		stdout, err := dev.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := dev.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stdout).ReadString('\n')
		name, address, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if err != nil || name != "time" {
			t.Fatalf("dev prints %q, %v\n%s", line, err, said)
		}
		url = address
	})
	step("mcpfunc call time get_current_time", func() {
		got := do(home, mcpfunc, "call", url, "get_current_time", "--arg", "timezone=UTC")
		if !strings.Contains(got, `"timezone": "UTC"`) {
			t.Errorf("the server says %q", got)
		}
	})
	step("the lines that dev shows for VS Code", func() {
		var snippet struct {
			Servers map[string]struct{ Type, URL string }
		}
		found := e2etest.Eventually(time.Minute, func() bool {
			_, rest, _ := strings.Cut(said.String(), `  {"servers"`)
			line, _, whole := strings.Cut(rest, "\n")
			return whole && json.Unmarshal([]byte(`{"servers"`+line), &snippet) == nil
		})
		if got := snippet.Servers["time"]; !found || got.Type != "http" || got.URL != url {
			t.Errorf("VS Code would be told %+v, want %s\n%s", snippet, url, said)
		}
	})

	if err := dev.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := dev.Wait(); err != nil {
		t.Errorf("dev ends with %v\n%s", err, said)
	}
}
