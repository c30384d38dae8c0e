#!/usr/bin/env bash
# What the terminal cast shows: a project is made, served and called. record.sh runs it in a terminal.
set -euo pipefail
cd "$(mktemp -d)"
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$PWD"' EXIT

type_out() { # type_out LINE: as a person types
	printf '\033[1;32m$\033[0m '
	for ((i = 0; i < ${#1}; i++)); do
		printf '%s' "${1:i:1}"
		sleep 0.03
	done
	sleep 0.3
	printf '\n'
}
scene() {
	type_out "$*"
	"$@"
	sleep "${pause:-1.5}"
}

# Compiled before, so that the cast does not show a first build.
mcpfunc init warm --yes --server time -- uvx mcp-server-time@2026.10.19 >/dev/null 2>&1
(cd warm && GOFLAGS=-trimpath CGO_ENABLED=0 go build -tags mcpfunc_devpage -o /dev/null .)

scene mcpfunc init myapp --quiet --yes --server time -- uvx mcp-server-time@2026.10.19
type_out "mcpfunc dev myapp > dev.log 2>&1 &"
mcpfunc dev myapp >dev.log 2>&1 &
until curl -fsS http://127.0.0.1:7071/api/health >/dev/null 2>&1; do sleep 0.2; done
sleep 1
scene mcpfunc tools time
pause=3 scene mcpfunc call time get_current_time --arg timezone=Europe/Berlin
