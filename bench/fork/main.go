// Command fork measures what a session of a packed server in Python costs, forked and not: processor time up to the
// answer to its first call, and memory that no other process shares.
//
//	go run ./bench/fork [-sessions 10] [-python 3.12] [SERVER...]
//
// A server is a command line for uvx, with its version, after the variables that it needs: "mcp-server-time@2026.10.19".
// Without any they are the lines of test/e2e/tools/fork-servers.txt that begin with "ci". It packs them into a temporary
// folder, for which it needs uv and the network, and prints a table in Markdown. Sessions with and without a fork alternate,
// beside one of each that stays open: what two processes read of files, they share.
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
			if line, ok := strings.CutPrefix(strings.TrimSpace(line), "ci "); ok {
				lines = append(lines, strings.Replace(line, "uvx ", "", 1))
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
		var first []func() error
		for n := range sessions + 1 {
			for _, forked := range []bool{true, false} {
				c, end, err := apps[forked].session(name)
				if err != nil {
					return fmt.Errorf("%s: %w", lines[i], err)
				}
				if n == 0 { // it finds out what others know
					first = append(first, end)
					continue
				}
				costs[forked] = append(costs[forked], c)
				if err := end(); err != nil {
					return err
				}
			}
		}
		for _, end := range first {
			if err := end(); err != nil {
				return err
			}
		}
		cold, fork := median(costs[false]), median(costs[true])
		const gib = 1 << 10
		fmt.Fprintf(out, "| `%s` | %.0f | %.0f | %.1f %% | %.1f | %.1f | %.0f | %.0f | %.1f |\n", lines[i], cold.cpu, fork.cpu, 100*fork.cpu/cold.cpu,
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
		words, env := strings.Fields(line), map[string]string{}
		for name, value, is := strings.Cut(words[0], "="); is; name, value, is = strings.Cut(words[0], "=") {
			env[name], words = value, words[1:]
		}
		servers["s"+strconv.Itoa(i)] = map[string]any{"command": "uvx", "args": words, "env": env, "timeout_seconds": 120, "fork": forked, "era": "legacy"}
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

// session opens one, and returns what its process has cost when it has answered, and what ends it.
func (l *lab) session(name string) (c cost, end func() error, err error) {
	before := processes()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: l.front.URL + "/api/mcp/" + name, DisableStandaloneSSE: true}, nil)
	if err != nil {
		return c, nil, err
	}
	if _, err := session.ListTools(ctx, nil); err != nil {
		session.Close()
		return c, nil, err
	}
	// One that there is not: every server answers, and none has work to do.
	_, _ = session.CallTool(ctx, &mcp.CallToolParams{Name: "none"})
	server := 0
	for pid, parent := range processes() {
		if _, old := before[pid]; old || parent == os.Getpid() == l.forked {
			continue
		}
		c.cpu, c.private, server = cpu(pid), rollup(pid, "Private_"), parent
	}
	if c.cpu == 0 {
		session.Close()
		return c, nil, fmt.Errorf("there is no process of its own, forked: %t", l.forked)
	}
	if l.forked {
		c.server = rollup(server, "Anonymous:") // its processes share most of that
	}
	return c, session.Close, nil
}

// processes returns those of Python, by id, with their parents.
func processes() map[int]int {
	all := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(stat), "(python") {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		all[pid] = parent
	}
	return all
}

// cpu is the processor time that the threads of a process have used, in ms.
func cpu(pid int) (ms float64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range threads {
		stat, _ := os.ReadFile(file)
		first, _, _ := strings.Cut(string(stat), " ")
		ns, _ := strconv.ParseFloat(first, 64)
		ms += ns / 1e6
	}
	return ms
}

// rollup sums up the memory of a process of the kinds that begin with kind, in MiB.
func rollup(pid int, kind string) (mib float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); strings.HasPrefix(line, kind) {
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
