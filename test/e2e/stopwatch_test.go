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

// A stopwatch prints what steps take (-v). The times are asserted nowhere: they are those of this machine, whose
// build cache may be warm.
type stopwatch struct {
	t     *testing.T
	start time.Time
}

func (s *stopwatch) step(name string, do func()) {
	before := time.Now()
	do()
	s.t.Logf("%6.1f s  %6.1f s  %s", time.Since(s.start).Seconds(), time.Since(before).Seconds(), name)
}

// in runs a program in dir and returns its stdout.
func (s *stopwatch) in(dir string, env []string, program string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(e2etest.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			said = string(exit.Stderr)
		}
		s.t.Fatalf("%s %v: %v\n%s", program, args, err, said)
	}
	return string(out)
}

// dev starts mcpfunc dev, and returns the address of the server called time, what dev says, and what ends it.
func (s *stopwatch) dev(mcpfunc, app string) (url string, said *e2etest.Transcript, end func()) {
	s.t.Helper()
	said = new(e2etest.Transcript)
	dev := exec.CommandContext(s.t.Context(), mcpfunc, "dev", app, "--port", "0")
	dev.Cancel = func() error { return dev.Process.Signal(os.Interrupt) }
	dev.Env, dev.Stderr = e2etest.Environ(), said
	stdout, err := dev.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	name, url, _ := strings.Cut(strings.TrimSpace(line), "\t")
	if err != nil || name != "time" {
		s.t.Fatalf("dev prints %q, %v\n%s", line, err, said)
	}
	return url, said, func() {
		if err := dev.Process.Signal(os.Interrupt); err != nil {
			s.t.Fatal(err)
		}
		if err := dev.Wait(); err != nil {
			s.t.Errorf("dev ends with %v\n%s", err, said)
		}
	}
}

// call calls a tool of the server, by hand.
func (s *stopwatch) call(dir, mcpfunc, url string) {
	s.t.Helper()
	got := s.in(dir, nil, mcpfunc, "call", url, "get_current_time", "--arg", "timezone=UTC")
	if !strings.Contains(got, `"timezone": "UTC"`) {
		s.t.Errorf("the server says %q", got)
	}
}

// A person who has never seen the project, with a clone of it: the demo, their own configuration, and what
// VS Code wants to know.
func TestFirstTenMinutes(t *testing.T) {
	home := t.TempDir()
	app, mcpfunc := filepath.Join(home, "myapp"), filepath.Join(home, "bin", "mcpfunc")
	clone := filepath.Join("..", "..")
	env := []string{"GOBIN=" + filepath.Dir(mcpfunc)}
	s := &stopwatch{t, time.Now()}
	s.step("go run ./cmd/mcpfunc demo --once", func() {
		s.in(clone, env, "go", "run", "./cmd/mcpfunc", "demo", filepath.Join(home, "demo"), "--once")
	})
	s.step("go install ./cmd/mcpfunc", func() { s.in(clone, env, "go", "install", "./cmd/mcpfunc") })
	s.step("mcpfunc init myapp, with a configuration that other clients use", func() {
		write(t, filepath.Join(home, ".mcp.json"), `{"mcpServers": {"time": {"command": "uvx", "args": ["`+e2etest.Pinned(t, "mcp-server-time")+`"]}}}`)
		s.in(home, nil, mcpfunc, "init", app)
	})

	var url string
	var said *e2etest.Transcript
	var end func()
	s.step("mcpfunc dev myapp", func() { url, said, end = s.dev(mcpfunc, app) })
	s.step("mcpfunc call time get_current_time", func() { s.call(home, mcpfunc, url) })
	s.step("the lines that dev shows for VS Code", func() {
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
	end()
}

// A person who has mcpfunc, and a file that it has not written: to the first answer of a tool.
func TestFirstCallFromWhatOthersWrote(t *testing.T) {
	name, version, _ := strings.Cut(e2etest.Pinned(t, "mcp-server-time"), "@")
	for file, text := range map[string]string{
		"config.toml": "model = \"some\"\n\n[mcp_servers.time]\ncommand = \"uvx\"\nargs = [\"" + name + "@" + version + "\"]\nstartup_timeout_sec = 60\n",
		"server.json": `{"$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
			"name": "io.github.acme/time", "description": "The time.", "version": "1.0.0",
			"packages": [{"registryType": "pypi", "identifier": "` + name + `", "version": "` + version + `", "transport": {"type": "stdio"}}]}`,
	} {
		t.Run(file, func(t *testing.T) {
			home, mcpfunc := t.TempDir(), mcpfunc(t)
			app, config := filepath.Join(home, "myapp"), filepath.Join(home, file)
			write(t, config, text)
			s := &stopwatch{t, time.Now()}
			s.step("mcpfunc init myapp --config "+file, func() { s.in(home, nil, mcpfunc, "init", app, "--config", config) })
			var url string
			var end func()
			s.step("mcpfunc dev myapp", func() { url, _, end = s.dev(mcpfunc, app) })
			s.step("mcpfunc call time get_current_time", func() { s.call(home, mcpfunc, url) })
			end()
		})
	}
}
