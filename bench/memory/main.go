// Command memory measures how many sessions fit on an instance of Azure Functions. For each size of an instance it starts
// a handler and the HTTP front of the Functions host in a control group with that limit, opens sessions until the app
// refuses one, and sends the largest body that the templates allow.
//
//	go run ./bench/memory [-front ../shared/tools/front/front] [-python 3.12] [-sizes 512,2048,4096]
//
// The servers are mcp-server-time (Python, forked and not) and @modelcontextprotocol/server-everything (Node). It packs them into a
// temporary folder, for which it needs uv, npm, and the network. It needs Linux, root, and a control group that it may
// divide, and prints a table in Markdown.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if group := os.Getenv(enterGroup); group != "" {
		fmt.Fprintln(os.Stderr, "memory:", enter(group, os.Args[1:]))
		os.Exit(1)
	}
	front := flag.String("front", filepath.Join("..", "shared", "tools", "front", "front"), "HTTP front of the Functions host, a `program`")
	python := flag.String("python", "3.12", "`version` of Python to pack for, which python3 on PATH must have")
	sizes := flag.String("sizes", "512,2048,4096", "`sizes` of instances, in MB")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *front, *python, strings.Split(*sizes, ","), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// servers are what is measured, in the order of the table. None keeps state, and each needs a process per session.
var servers = []struct{ name, about, command, pkg, fork string }{
	{"forked", "Python, forked", "uvx", "mcp-server-time@2026.10.19", "true"},
	{"python", "Python", "uvx", "mcp-server-time@2026.10.19", "false"},
	{"node", "Node", "npx", "@modelcontextprotocol/server-everything@2026.8.31", "false"},
}

// bodyLimits are those of templates/app.bicep.tmpl, in bytes.
var bodyLimits = map[int]int64{512: 8 << 20, 2048: 32 << 20, 4096: 64 << 20}

func run(ctx context.Context, front, python string, sizes []string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "mcpfunc-memory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	project, err := prepare(ctx, dir, python)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "| instance | server | front, handler at rest | a session | front after a body | reserve | sessions, computed | sessions, admitted | with the host's 142 MiB |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|")
	for _, text := range sizes {
		size, err := strconv.Atoi(text)
		if err != nil || bodyLimits[size] == 0 {
			return fmt.Errorf("invalid -sizes %q: want 512, 2048, or 4096, separated by commas", text)
		}
		for _, s := range servers {
			f, err := measure(ctx, front, project, s.name, size)
			if err != nil {
				return fmt.Errorf("%d MB, %s: %w", size, s.name, err)
			}
			fmt.Fprintf(out, "| %d MB | %s | %.0f, %.0f | %.0f | %.0f (%d MiB) | %.0f | %.0f | %d | %.0f |\n", size, s.about, f.front, f.handler,
				f.session, f.afterBody, bodyLimits[size]>>20, f.reserve, f.computed(f.front), f.admitted, f.computed(hostMiB))
		}
	}
	return nil
}

// prepare writes a packed project with the servers and its handler into dir, and returns its folder.
func prepare(ctx context.Context, dir, python string) (string, error) {
	entries := map[string]any{}
	for _, s := range servers {
		args := []string{s.pkg}
		if s.command == "npx" {
			args = []string{"-y", s.pkg}
		}
		entries[s.name] = map[string]any{"command": s.command, "args": args, "timeout_seconds": 120, "fork": s.fork == "true", "era": "legacy",
			"manifest": false, "sessions": map[string]any{"max_per_principal": 1000}}
	}
	data, err := json.Marshal(map[string]any{"mcpServers": entries})
	if err != nil {
		return "", err
	}
	config, project := filepath.Join(dir, "mcp_config.json"), filepath.Join(dir, "app")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"run", "./cmd/mcpfunc", "init", project, "--config", config, "--hosting", "custom", "--yes"},
		{"run", "./cmd/mcpfunc", "pack", "--python", python, project},
		{"build", "-trimpath", "-o", filepath.Join(project, "handler"), "./bench/handler"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
	}
	return project, nil
}
