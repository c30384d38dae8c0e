// Command fork measures what a session of a packed server in Python costs, forked and not: processor time up to the
// answer to its first call, and memory that no other process shares.
//
//	go run ./bench/fork [-sessions 10] [-python 3.12] [SERVER...]
//
// A server is a command line for uvx, with its version: "mcp-server-time@2026.10.19". Without any they are the lines of
// test/e2e/tools/fork-servers.txt that begin with "ci". It packs them into a temporary folder, for which it needs uv and the
// network, and prints a table in Markdown. Sessions with and without a fork alternate.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

func main() {
	sessions := flag.Int("sessions", 10, "`number` of sessions of each kind, one after another")
	python := flag.String("python", "3.12", "`version` of Python to pack for")
	flag.Parse()
	if err := run(*sessions, *python, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fork:", err)
		os.Exit(1)
	}
}

func run(sessions int, python string, lines []string, out io.Writer) error {
	if len(lines) == 0 {
		list, err := os.ReadFile(filepath.Join("test", "e2e", "tools", "fork-servers.txt"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(list)) {
			if line, ok := strings.CutPrefix(strings.TrimSpace(line), "ci uvx "); ok {
				lines = append(lines, line)
			}
		}
	}
	dir, err := os.MkdirTemp("", "mcpfunc-fork-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	names, err := pack(dir, python, lines)
	if err != nil {
		return err
	}
	apps := map[bool]*lab{}
	for _, forked := range []bool{true, false} {
		if apps[forked], err = open(dir, lines, forked); err != nil {
			return err
		}
		defer apps[forked].close()
	}
	fmt.Fprintf(out, "Medians of %d sessions: `initialize`, `tools/list`, and a call of a tool that there is not.\n\n", sessions)
	fmt.Fprintln(out, "| server | CPU of a session, ms | forked | of it | memory of its own, MiB | forked | sessions in a GiB | forked | fork server, MiB |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|")
	for i, name := range names {
		costs := map[bool][]cost{}
		for n := range sessions + 1 {
			for _, forked := range []bool{true, false} {
				c, err := apps[forked].session(name)
				if err != nil {
					return fmt.Errorf("%s: %w", lines[i], err)
				}
				if n > 0 { // the first finds out what others know
					costs[forked] = append(costs[forked], c)
				}
			}
		}
		cold, fork := median(costs[false]), median(costs[true])
		const gib = 1 << 10
		fmt.Fprintf(out, "| `%s` | %.0f | %.0f | %.0f %% | %.1f | %.1f | %.0f | %.0f | %.1f |\n", lines[i], cold.cpu, fork.cpu, 100*fork.cpu/cold.cpu,
			cold.private, fork.private, gib/cold.private, (gib-fork.server)/fork.private, fork.server)
	}
	return nil
}

// pack packs servers in Python into dir, and returns their names.
func pack(dir, python string, lines []string) (names []string, err error) {
	if err := configure(dir, lines, true); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "run", "./cmd/mcpfunc", "pack", "--python", python, dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("mcpfunc pack: %w", err)
	}
	for i := range lines {
		names = append(names, "s"+strconv.Itoa(i))
	}
	return names, nil
}

// configure writes the configuration of a project.
func configure(dir string, lines []string, forked bool) error {
	servers := map[string]any{}
	for i, line := range lines {
		servers["s"+strconv.Itoa(i)] = map[string]any{"command": "uvx", "args": strings.Fields(line), "timeout_seconds": 120, "fork": forked, "era": "legacy"}
	}
	data, err := json.Marshal(map[string]any{"mcpServers": servers})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "mcp_config.json"), data, 0o600)
}

// A lab is an app that serves the project, whose servers are forked or not.
type lab struct {
	forked bool
	app    *mcpfunc.App
	front  *httptest.Server
}

func open(dir string, lines []string, forked bool) (*lab, error) {
	if err := configure(dir, lines, forked); err != nil {
		return nil, err
	}
	cfg, err := mcpfunc.LoadConfig(filepath.Join(dir, "mcp_config.json"))
	if err != nil {
		return nil, err
	}
	app, err := mcpfunc.New(cfg, &mcpfunc.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &lab{forked, app, httptest.NewServer(app)}, nil
}

func (l *lab) close() {
	l.app.Close()
	l.front.Close()
}

// A cost is what a session has cost.
type cost struct {
	cpu             float64 // ms
	private, server float64 // MiB: of its process, of the fork server
}

// session opens one, and returns what its process has cost when it has answered.
func (l *lab) session(name string) (c cost, err error) {
	before := processes()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: l.front.URL + "/api/mcp/" + name, DisableStandaloneSSE: true}, nil)
	if err != nil {
		return c, err
	}
	defer session.Close()
	if _, err := session.ListTools(ctx, nil); err != nil {
		return c, err
	}
	// One that there is not: every server answers, and none has work to do.
	_, _ = session.CallTool(ctx, &mcp.CallToolParams{Name: "none"})
	server := 0
	for pid, p := range processes() {
		if _, old := before[pid]; old || p.parent == os.Getpid() == l.forked {
			continue
		}
		c.cpu, c.private, server = p.cpu, private(pid), p.parent
	}
	if c.cpu == 0 {
		return c, fmt.Errorf("there is no process of its own, forked: %t", l.forked)
	}
	if l.forked {
		c.server = private(server)
	}
	return c, nil
}

type proc struct {
	parent int
	cpu    float64 // ms
}

// processes returns those of Python, by id.
func processes() map[int]proc {
	all := map[int]proc{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(stat), "(python") {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		all[pid] = proc{parent, float64(user+system) * 10} // USER_HZ is 100
	}
	return all
}

// private is the memory of a process that it does not share, in MiB.
func private(pid int) (mib float64) {
	rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(rollup)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "Private_") {
			kib, _ := strconv.Atoi(fields[1])
			mib += float64(kib) / (1 << 10)
		}
	}
	return mib
}

// median returns the medians of all costs.
func median(all []cost) cost {
	of := func(value func(cost) float64) float64 {
		var values []float64
		for _, c := range all {
			values = append(values, value(c))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return cost{of(func(c cost) float64 { return c.cpu }), of(func(c cost) float64 { return c.private }), of(func(c cost) float64 { return c.server })}
}
