//go:build chaos

package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// forkedProject writes a project whose server "server" is packed, and forked: testdata/server.py.
func forkedProject(t *testing.T) string {
	t.Helper()
	version, err := exec.Command("python3", "-c", "import sys; print('3.%d' % sys.version_info[1])").Output()
	if err != nil {
		t.Fatalf("find the version of python3: %v", err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree := filepath.Join(dir, "packed", "server")
	if err := os.MkdirAll(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := os.ReadFile(filepath.Join("testdata", "server.py"))
	if err != nil {
		t.Fatal(err)
	}
	write("packed/server/start.py", server)
	write("packed/server/fork.txt", []byte("json\n"))
	sum, err := packmanifest.TreeSum(tree)
	if err != nil {
		t.Fatal(err)
	}
	written := packmanifest.Command{Command: "uvx", Args: []string{"chaos", self()}}
	file := packmanifest.File{
		Format: packmanifest.Format, Platform: "linux/" + runtime.GOARCH, Python: strings.TrimSpace(string(version)),
		Servers: map[string]packmanifest.Server{"server": {
			From: written, Lock: strings.Repeat("0", 64), Tree: sum,
			Start: packmanifest.Start{Interpreter: packmanifest.Python, Script: "packed/server/start.py", Replaces: 1, Fork: "packed/server/fork.txt"},
		}},
	}
	packed, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write("packed/mcp_packed.json", packed)
	config, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"server": map[string]any{
		"command": written.Command, "args": written.Args, "era": "legacy", "max_restarts": 100,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	write("mcp_config.json", config)
	if os.Getenv("MCPFUNC_E2E_MANIFEST") != "" {
		if err := recordPacked(t.Context(), dir, "server", written); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// forkedWays are the ways to die of a server that is forked: those of any, and with its fork server.
func forkedWays() []way {
	forkServer := func(v victim) int { return v.who.Parent }
	return append(
		slices.DeleteFunc(ways(), func(w way) bool { return w.server != "server" || strings.Contains(w.name, "while servers start") }),
		way{name: "SIGKILL of the fork server", server: "server", alone: true, kin: "escaped", die: signalled(syscall.SIGKILL, forkServer)},
		way{name: "SIGTERM of the fork server", server: "server", alone: true, kin: "stubborn", die: signalled(syscall.SIGTERM, forkServer)},
		way{name: "SIGKILL of the fork server while it forks", server: "server", alone: true, die: storm("server", signalled(syscall.SIGKILL, forkServer))},
		way{name: "SIGKILL of the handler while forks start", server: "server", host: true, die: storm("server", signalled(syscall.SIGKILL, func(v victim) int { return v.h.pid() }))},
	)
}

func TestNothingOfAForkedServerSurvivesAnyDeath(t *testing.T) {
	dir := forkedProject(t)
	counts := newTally("processes left", "calls unanswered", "wrong ids", "sessions that look alive and are dead", "cycles that did not happen")
	lasting, err := newProjectHandler(t, mcpfunc.Config{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("MCPFUNC_E2E_MANIFEST") != "" {
		opensWithoutProcess(t, lasting)
	}
	before := forkServerOf(t, lasting)
	work := make(chan way)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for w := range work {
				if !w.host && !w.alone {
					cycle(t, lasting, w, counts)
					continue
				}
				h, err := newProjectHandler(t, mcpfunc.Config{}, dir)
				if err != nil {
					counts.add("cycles that did not happen", w.name, ": ", err)
					continue
				}
				cycle(t, h, w, counts)
				h.stop(t)
			}
		})
	}
	for range scale(20, 1) {
		for _, w := range forkedWays() {
			work <- w
		}
	}
	close(work)
	workers.Wait()
	if after := forkServerOf(t, lasting); after != before {
		t.Errorf("the deaths of forks ended their fork server %d: now it is %d", before, after)
	}
	settled(lasting, counts)
	counts.report(t)
}

// opensWithoutProcess opens a session of h, for which nothing may start: it is answered from the manifest.
func opensWithoutProcess(t *testing.T, h *handler) {
	t.Helper()
	c := newClient(h, "server")
	defer c.leave()
	s, err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if found := slices.DeleteFunc(descendants(h.pid()), func(p process) bool { return guards(p, h) }); len(found) > 0 {
		t.Errorf("a session that was only opened has started %v", found)
	}
	if err := s.end(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// forkServerOf returns the process from which a new session of h is forked.
func forkServerOf(t *testing.T, h *handler) int {
	t.Helper()
	v, err := bear(t.Context(), h, way{server: "server"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.leave()
	if !forks(v.who.Parent) {
		t.Fatalf("the server is not forked, but started by %q", commandLine(v.who.Parent))
	}
	if err := v.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v.who.Parent
}
