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

PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin" # where rustup puts it, and no shell profile has been read
missing=()
need() { # need PROGRAM HINT
	command -v "$1" >/dev/null || missing+=("$1 ($2)")
}
need go "the version that go.mod names"
need git "apt-get install git: the git server's tests make a repository"
# The page's tests run a real browser, those of the shared store a real server. On a fresh Debian there
# is neither, and root may change that.
debian=
if command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
	command -v redis-server >/dev/null || debian+=" redis-server"
	command -v chromium >/dev/null || debian+=" chromium fonts-dejavu-core"
else
	need redis-server "apt-get install redis-server: instances share revocations and events by one"
	need chromium "apt-get install chromium fonts-dejavu-core: the page of mcpfunc dev is driven in it"
fi
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

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
declare -A jobs # process → what it installs

# Jobs run beside each other: half of what they do is to wait for registries. They are not called in a
# condition, in which bash would not stop at the first command that fails.
job() { # job WHAT COMMAND...: starts it; its end prints how long it took
	local what=$1
	shift
	{
		start=$EPOCHREALTIME
		"$@" >"$logs/$BASHPID" 2>&1 </dev/null
		printf "%6d ms  %s\n" "$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))" "$what"
	} &
	jobs[$!]=$what
}

failed=
ended() { # ended PROCESS: waits for a job, and shows what it said if it failed
	if ! wait "$1"; then
		cat "$logs/$1" >&2
		echo "install.sh: ${jobs[$1]} did not install" >&2
		failed=yes
	fi
	unset "jobs[$1]"
}

finish() { # waits for all jobs, and exits if one failed
	local process
	for process in "${!jobs[@]}"; do
		ended "$process"
	done
	[[ -z $failed ]] || exit 1
}

debian_packages() {
	# shellcheck disable=SC2086 # a list of packages
	apt-get install -qq -y --no-install-recommends $debian ||
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $debian; }
}

node_packages() {
	mkdir -p "$tools/npm"
	cp "$here/package.json" "$here/package-lock.json" "$tools/npm/"
	# Nothing here needs an install script: Node 22 is a plain file in its package.
	npm ci --prefix "$tools/npm" --ignore-scripts --no-audit --no-fund
	"$tools/npm/node_modules/.bin/node" --version
}

uv() {
	python3 -m venv --clear "$tools/python"
	"$tools/python/bin/pip" install --disable-pip-version-check --no-deps "$(grep '^uv==' "$here/requirements-v1.txt")"
}

environment() { # environment NAME REQUIREMENTS MODULE: which can be imported then
	[[ $1 == python ]] || python3 -m venv --clear --without-pip "$tools/$1"
	"$tools/python/bin/uv" pip install --python "$tools/$1/bin/python" --no-deps -r "$here/requirements-$2.txt"
	"$tools/$1/bin/python" -c "import $3"
}

# What scaffolds hold besides Go is looked at by its own linters.
linters() {
	environment lint lint tree_sitter_bicep
	"$tools/lint/bin/hadolint" --version
}

# Clients that are compiled. Their lock files pin what they are made of; what is built is not built again.
rust_client() { cargo build --locked --manifest-path "$here/../clients/rust/Cargo.toml" --target-dir "$tools/rust"; }

# As the tests' own programs are built, which then find the standard library compiled.
go_programs() {
	export GOFLAGS="-trimpath -mod=readonly" CGO_ENABLED=0
	go build -C "$here/../clients/mcpgo" -o "$tools/mcpgo/client" .
	GOBIN="$tools/bin" go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
}

# The servers start by npx and uvx, as a user's do, so it is their caches that must be warm.
npx_servers() {
	local package
	for package in $(sed -n 's/^npx //p' "$here/servers.txt"); do
		npx -y --package="$package" -- node -e 0
	done
}
uvx_servers() {
	local package
	for package in $(sed -n 's/^uvx //p' "$here/servers.txt"); do
		"$tools/python/bin/uvx" --from "${package%@*}==${package##*@}" python -c 0
	done
}

[[ -z $debian ]] || job "Debian:$debian" debian_packages
job "crates.io: rmcp, built" rust_client
job "Go: mcp-go, actionlint, built" go_programs
job "npx: servers" npx_servers

want=$(cat "$here/package-lock.json" "$here"/requirements-*.txt "$here/install.sh" | sha256sum)
export UV_PYTHON_DOWNLOADS=never
installed=
[[ $(cat "$tools/stamp" 2>/dev/null) == "$want" ]] && installed=yes
if [[ -z $installed ]]; then
	rm -f "$tools/stamp"
	job "npm: clients, conformance suites, Node 22" node_packages
	job "PyPI: uv" uv
	ended $!
	[[ -z $failed ]] || finish
	# Three environments: the client of SDK 2 negotiates in another way than that of SDK 1, and langchain's
	# adapters name their own version of mcp.
	job "PyPI: mcp 1" environment python v1 mcp
	job "PyPI: mcp 2" environment python2 v2 mcp
	job "PyPI: langchain-mcp-adapters" environment langchain langchain langchain_mcp_adapters.client
	job "PyPI: hadolint, tree-sitter for Bicep" linters
fi
job "uvx: servers" uvx_servers
finish
echo "$want" >"$tools/stamp"

echo "tools: $tools"
