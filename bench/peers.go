package main

import (
	"os"
	"path/filepath"
	"strings"
)

// peerContenders are other bridges from stdio to streamable HTTP, started as their pages say.
func peerContenders() []contender {
	var all []contender
	for _, p := range peers() {
		c := contender{name: p.name, about: p.about, peer: true, absent: p.absent()}
		if c.absent == "" {
			c.start = func(l *lab, measure string) (*running, error) {
				of := project{l.dirOf(measure), l.serverOf(measure)}
				r, err := l.serve(measure, p.path, func(port string) []string { return p.command(of, installed(p.program), port) })
				if err == nil && p.choose {
					r.client.choose = true
				}
				return r, err
			}
		}
		all = append(all, c)
	}
	return all
}

// A project is what a peer is to serve: a server, and a directory whose mcp_config.json names it.
type project struct{ dir, server string }

// A peer is a bridge that install.sh installs.
type peer struct {
	name, about string
	program     string // in the cache
	path        string // of its URL
	choose      bool   // sessions are of their own only if clients choose their ids
	command     func(of project, program, port string) []string
}

func peers() []peer {
	return []peer{
		{
			name: "supergateway", about: "npm `supergateway` 4.0.0, stateful: one process per session",
			program: "npm/node_modules/supergateway/dist/index.js", path: "/mcp",
			command: func(of project, program, port string) []string {
				return []string{"node", program, "--stdio", of.server, "--outputTransport", "streamableHttp", "--stateful", "--port", port, "--logLevel", "none"}
			},
		},
		{
			name: "npm mcp-proxy", about: "npm `mcp-proxy` 6.7.19: one process for all sessions",
			program: "npm/node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs", path: "/mcp",
			command: func(of project, program, port string) []string {
				return []string{"node", program, "--host", "127.0.0.1", "--port", port, "--server", "stream", "--", of.server}
			},
		},
		{
			name: "PyPI mcp-proxy", about: "PyPI `mcp-proxy` 0.13.0: one process for all sessions",
			program: "python/bin/mcp-proxy", path: "/mcp",
			command: func(of project, program, port string) []string {
				return []string{program, "--host", "127.0.0.1", "--port", port, "--log-level", "ERROR", of.server}
			},
		},
		{
			name: "reference adapter", about: "PyPI `azurefunctions-mcp-stdio-adapter` 0.1.0a17: one process per session; " +
				"called by uvicorn directly, so without what a Functions host and its worker cost",
			program: "adapter/serve.py", path: "/api/mcp", choose: true,
			command: func(of project, program, port string) []string {
				return []string{installed("adapter/bin/python"), program, port, filepath.Join(of.dir, "mcp_config.json")}
			},
		},
		{
			name: "fastmcp", about: "PyPI `fastmcp` 4.2.3, `fastmcp run`: one process for all sessions",
			program: "fastmcp/bin/fastmcp", path: "/mcp",
			command: func(of project, program, port string) []string {
				return []string{program, "run", filepath.Join(of.dir, "mcp_config.json"), "--transport", "http", "--port", port, "--no-banner", "--log-level", "CRITICAL"}
			},
		},
		{
			name: "TBXark", about: "Go `github.com/tbxark/mcp-proxy`: one process for all sessions",
			program: "bin/mcp-proxy", // never installed here, so its command line is untested and omitted
		},
	}
}

// absent says why a peer is not measured, as install.sh noted it.
func (p peer) absent() string {
	if _, err := os.Stat(installed(p.program)); err == nil {
		if p.command == nil {
			return "installed, but this program does not know how to start it"
		}
		return ""
	}
	return absence(p.name)
}

// absence is why install.sh did not install something.
func absence(name string) string {
	note, err := os.ReadFile(installed("absent/" + name))
	if err != nil {
		return "not installed: run bench/install.sh"
	}
	return "could not be installed: " + strings.TrimSpace(string(note))
}

// installed is a path in the directory that install.sh filled.
func installed(path string) string {
	dir := os.Getenv("MCPFUNC_BENCH_PEERS")
	if dir == "" {
		home, _ := os.UserHomeDir() // empty only where HOME is unset; the peers are absent then
		dir = filepath.Join(home, ".cache", "mcpfunc-bench")
	}
	return filepath.Join(dir, filepath.FromSlash(path))
}
