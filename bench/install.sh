#!/usr/bin/env bash
# Installs, pinned and outside the work tree, the peers that the benchmark compares the handler with:
#
#   bench/install.sh          into ${MCPFUNC_BENCH_PEERS:-~/.cache/mcpfunc-bench}
#
# Each is installed by its own client (npm, pip, go) from the configured registry. A peer that cannot
# be installed is not an error: the page omits its column and says why.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${MCPFUNC_BENCH_PEERS:-$HOME/.cache/mcpfunc-bench}
mkdir -p "$cache/absent"

peer() { # peer NAME FUNCTION: on failure, the last line that the client said is the reason
	local log
	log=$(mktemp)
	if "$2" >"$log" 2>&1 </dev/null; then
		rm -f "$cache/absent/$1"
		echo "installed  $1"
	else
		tr -s '[:space:]' ' ' < <(grep -v '^[[:space:]]*$' "$log" | tail -n 2) |
			sed -E 's#https?://[^ ]+#the configured source#g; s#^ ##; s# $##' >"$cache/absent/$1"
		echo "absent     $1: $(cat "$cache/absent/$1")"
	fi
	rm -f "$log"
}

supergateway() {
	mkdir -p "$cache/npm" &&
		cp "$here/peers/package.json" "$here/peers/package-lock.json" "$cache/npm/" &&
		npm ci --prefix "$cache/npm" --ignore-scripts --no-audit --no-fund &&
		test -f "$cache/npm/node_modules/supergateway/dist/index.js"
}

npm_proxy() { # installed with the one before
	test -f "$cache/npm/node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs"
}

python_proxy() {
	python3 -m venv --clear "$cache/python" &&
		"$cache/python/bin/pip" install --disable-pip-version-check --no-deps -r "$here/peers/mcp-proxy.txt" &&
		"$cache/python/bin/mcp-proxy" --version
}

adapter() {
	python3 -m venv --clear "$cache/adapter" &&
		"$cache/adapter/bin/pip" install --disable-pip-version-check --no-deps -r "$here/peers/adapter.txt" &&
		"$cache/adapter/bin/python" -c 'import azurefunctions.extensions.mcp_server' &&
		cp "$here/peers/adapter.py" "$cache/adapter/serve.py"
}

fastmcp() {
	python3 -m venv --clear "$cache/fastmcp" &&
		"$cache/fastmcp/bin/pip" install --disable-pip-version-check --no-deps -r "$here/peers/fastmcp.txt" &&
		"$cache/fastmcp/bin/fastmcp" version
}

# A usual server in Python, for all; and the same one packed for the handler, by the uv of the adapter.
python_server() {
	python3 -m venv --clear "$cache/time" &&
		"$cache/time/bin/pip" install --disable-pip-version-check --no-deps -r "$here/peers/time.txt" &&
		test -x "$cache/time/bin/mcp-server-time"
}

packed_server() {
	rm -rf "$cache/packed" && mkdir -p "$cache/packed" &&
		cp "$here/peers/packed.json" "$cache/packed/mcp_config.json" &&
		(cd "$here/.." && PATH="$cache/adapter/bin:$PATH" go run ./cmd/mcpfunc pack --python "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$cache/packed")
}

go_proxy() {
	GOBIN="$cache/bin" go install github.com/tbxark/mcp-proxy@latest
}

peer "supergateway" supergateway
peer "npm mcp-proxy" npm_proxy
peer "PyPI mcp-proxy" python_proxy
peer "reference adapter" adapter
peer "fastmcp" fastmcp
peer "TBXark" go_proxy
peer "server in Python" python_server
peer "packed server" packed_server
echo "peers: $cache"
