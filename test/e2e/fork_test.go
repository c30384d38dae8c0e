//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// forkCalls are what servers of tools/fork-servers.txt are asked, and what is in the right answer.
var forkCalls = map[string]struct {
	tool string
	args map[string]any
	want string
}{
	"mcp-server-time":       {"convert_time", map[string]any{"source_timezone": "Asia/Tokyo", "time": "12:00", "target_timezone": "UTC"}, "T03:00:00+00:00"},
	"mcp-server-git":        {"git_status", map[string]any{"repo_path": "/no/such/repository"}, "/no/such/repository"},
	"mcp-server-calculator": {"calculate", map[string]any{"expression": "6*7"}, "42"},
	"mcp-obsidian":          {"obsidian_get_file_contents", map[string]any{"filepath": "a.md"}, "127.0.0.1"},
	"mcp-shell-server":      {"shell_execute", map[string]any{"command": []string{"echo", "6*7"}, "directory": "/"}, "6*7"},
}

// forkable are the servers of tools/fork-servers.txt that CI tries.
func forkable(t *testing.T) map[string]map[string]any {
	t.Helper()
	servers := map[string]map[string]any{}
	for line := range strings.Lines(readFile(t, e2etest.File(t, "test", "e2e", "tools", "fork-servers.txt"))) {
		if line, chosen := strings.CutPrefix(strings.TrimSpace(line), "ci "); chosen {
			words, env := strings.Fields(line), map[string]string{}
			for words[0] != "uvx" {
				name, value, _ := strings.Cut(words[0], "=")
				env[name], words = value, words[1:]
			}
			name, _, _ := strings.Cut(words[1], "@")
			servers[name] = map[string]any{"command": words[0], "args": words[1:], "env": env, "timeout_seconds": 120, "era": "legacy"} // a process per session
		}
	}
	return servers
}

// A forked server is what it is without: its tools, its answers, its end. What it costs is logged.
func TestForkedServersAnswerAsOthers(t *testing.T) {
	t.Parallel()
	servers := forkable(t)
	dir := scaffold(t, asJSON(t, map[string]any{"mcpServers": servers}))
	pack := exec.Command(mcpfunc(t), "pack", "--python", pythonVersion(t))
	pack.Dir, pack.Env = dir, e2etest.Environ()
	out, err := pack.CombinedOutput()
	if err != nil {
		t.Fatalf("mcpfunc pack: %v\n%s", err, out)
	}
	for name := range servers {
		if !strings.Contains(string(out), name+": is started as a fork") {
			t.Errorf("%s is not started as a fork:\n%s", name, out)
		}
	}
	type seen struct {
		tools           []string
		cpu             float64 // seconds, of the process
		private, shared int     // MiB
	}
	run := func(t *testing.T, forked bool) map[string]seen {
		b := serve(t, dir)
		all := map[string]seen{}
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for name := range servers {
				if !yield(name) {
					return
				}
			}
		}) {
			c := forkCalls[name]
			first := connect(t, b.Endpoint(name)) // which starts what others have then
			_, _ = first.call(t.Context(), c.tool, c.args)
			first.end(t)
			before := processesOf(t, b.handler)
			p := connect(t, b.Endpoint(name))
			listed, err := p.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := p.call(t.Context(), c.tool, c.args)
			if err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%s, forked %t, answers %q, want %q in it", name, forked, text, c.want)
			}
			var s seen
			for _, tool := range listed.Tools {
				s.tools = append(s.tools, asJSON(t, tool))
			}
			after := slices.DeleteFunc(processesOf(t, b.handler), func(p e2etest.Process) bool {
				return strings.Contains(p.Command, "mcpfunc-guard") || slices.ContainsFunc(before, func(q e2etest.Process) bool { return q.PID == p.PID && q.Start == p.Start })
			})
			if len(after) != 1 {
				t.Fatalf("%s, forked %t, has started %v", name, forked, after)
			}
			if is := strings.Contains(after[0].Command, "<fork server>"); is != forked {
				t.Errorf("%s is forked: %t, want %t", name, is, forked)
			}
			s.cpu, s.private, s.shared = costOf(t, after[0].PID)
			p.end(t)
			if !e2etest.Eventually(testlimit.Wait(), func() bool {
				return !slices.ContainsFunc(e2etest.Processes(t), func(q e2etest.Process) bool { return q.PID == after[0].PID && q.Start == after[0].Start })
			}) {
				t.Errorf("%s has outlived its session", name)
			}
			all[name] = s
		}
		return all
	}
	var with, without map[string]seen
	t.Run("forked", func(t *testing.T) { with = run(t, true) })
	for _, s := range servers {
		s["fork"] = false
	}
	write(t, filepath.Join(dir, "mcp_config.json"), asJSON(t, map[string]any{"mcpServers": servers}))
	t.Run("without a fork", func(t *testing.T) { without = run(t, false) })
	for name := range servers {
		a, b := with[name], without[name]
		if diff := cmp.Diff(b.tools, a.tools); diff != "" {
			t.Errorf("%s has other tools when it is forked (-without +forked):\n%s", name, diff)
		}
		t.Logf("%-24s CPU %.2f s → %.2f s (%.0f %%), private memory %d → %d MiB, shared %d MiB", name, b.cpu, a.cpu, 100*a.cpu/b.cpu, b.private, a.private, a.shared)
	}
}

// A forked server plays every scenario as another does: with all clients if MCPFUNC_E2E_FORK is set, else with one.
func TestForkedServerPlaysEveryScenario(t *testing.T) {
	t.Parallel()
	dir := scaffold(t, `{"mcpServers": {"everything": {"command": "python", "args": ["everything.py"], "timeout_seconds": 120, "era": "legacy"}}}`)
	write(t, filepath.Join(dir, "everything.py"), readFile(t, pythonServer(t)))
	for line := range strings.Lines(readFile(t, e2etest.File(t, "test", "e2e", "tools", "requirements-v1.in"))) {
		if strings.HasPrefix(line, "mcp==") {
			write(t, filepath.Join(dir, "requirements.txt"), line)
		}
	}
	pack := exec.Command(mcpfunc(t), "pack", "--python", pythonVersion(t))
	pack.Dir, pack.Env = dir, e2etest.Environ()
	if out, err := pack.CombinedOutput(); err != nil || !strings.Contains(string(out), "everything: is started as a fork") {
		t.Fatalf("mcpfunc pack: %v\n%s", err, out)
	}
	b := serve(t, dir)
	t.Run("a session per call", func(t *testing.T) { callInSessions(t, b) })
	clients := sdks()
	if os.Getenv("MCPFUNC_E2E_FORK") == "" {
		clients = clients[:1]
	}
	play(t, b, clients)
}

// callInSessions has an agent that opens a session per call list tools, for which nothing starts, and call one, which
// costs a fork each.
func callInSessions(t *testing.T, b *Bridge) {
	const sessions = "25"
	url, agent := b.Endpoint("everything"), langchain()
	agent.run(t, url, "lists", sessions)
	forkServers := func() []e2etest.Process {
		return slices.DeleteFunc(processesOf(t, b.handler), func(p e2etest.Process) bool { return !strings.Contains(p.Command, "<fork server>") })
	}
	if started := forkServers(); len(started) != 0 {
		t.Errorf("%s sessions that only list tools have started %v", sessions, started)
	}
	agent.run(t, url, "calls", sessions, "start", "<fork server>")
	var left []e2etest.Process
	if !testlimit.Eventually(func() bool { left = forkServers(); return len(left) == 1 }) {
		t.Fatalf("%v are left, want the fork server", left)
	}
	t.Logf("%s sessions with a call each took %.2f s of processor time besides the fork server's", sessions, ticksOf(t, left[0].PID, 13))
	if m := b.metrics(t); m.ActiveSessions != 0 || m.TotalProcesses != 0 {
		t.Errorf("%+v are left", m)
	}
}

// costOf returns the processor time of a process, and its memory in MiB: its own, and that which it shares.
func costOf(t *testing.T, pid int) (cpu float64, private, shared int) {
	t.Helper()
	cpu = ticksOf(t, pid, 11)
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(rollup)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		switch {
		case err != nil:
		case strings.HasPrefix(name, "Private_"):
			private += kib
		case strings.HasPrefix(name, "Shared_"):
			shared += kib
		}
	}
	return cpu, private >> 10, shared >> 10
}

// ticksOf returns the processor time of a process, in seconds: its own (field 11 after its name), or that of the children
// it has waited for (13).
func ticksOf(t *testing.T, pid, field int) (seconds float64) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[field : field+2] {
		ticks, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		seconds += ticks / 100 // USER_HZ
	}
	return seconds
}
