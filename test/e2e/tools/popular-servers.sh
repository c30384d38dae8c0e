#!/usr/bin/env bash
# Packs the servers of popular-servers.txt, each in a project of its own, and asks them for their tools. Prints a row of Markdown
# per server: what it is, how many packages and bytes, whether it is copied to be executable, its sandbox, its tools or what
# is wrong, and of one in Python whether it is forked, or why it is not. The tools are asked for in that sandbox.
#
#   test/e2e/tools/popular-servers.sh [WORD]...     those whose line holds one of the words; all without
#
# LIST is another list beside this script. PYTHON is the version to pack for (default: the one of python3 here).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH="${MCPFUNC_E2E_TOOLS:-$HOME/.cache/mcpfunc-e2e}/python/bin:$PATH" # for uv
python=${PYTHON:-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
(cd "$here/../../.." && go build -o "$dir/mcpfunc" ./cmd/mcpfunc)

wanted() { # wanted LINE WORD...
	local line=$1 word
	shift
	(($#)) || return 0
	for word; do [[ $line == *"$word"* ]] && return 0; done
	return 1
}

config() { # config WORD...: the mcp_config.json of a line
	python3 - "$@" <<'PYTHON'
import json, sys
words = sys.argv[1:]
env = {}
box = {}
while "=" in words[0]:
    name, _, value = words.pop(0).partition("=")
    if name == "sandbox":
        box = json.loads(value)
    else:
        env[name] = value
server = {"command": words[0], "args": words[1:], "timeout_seconds": 120, "sandbox": box}
if env:
    server["env"] = env
print(json.dumps({"mcpServers": {"it": server}}))
PYTHON
}

failed=0
while read -r line; do
	[[ -n $line && $line != \#* ]] || continue
	line=${line#ci }
	wanted "$line" "$@" || continue
	read -ra words <<<"$line"
	app=$(mktemp -d "$dir/app.XXXXXX")
	config "${words[@]}" >"$app/mcp_config.json"
	name=$(grep -oE '[^ ]+@[0-9][^ ]*' <<<"$line" | head -n1) || name=
	if "$dir/mcpfunc" pack "$app" --python "$python" --json >"$app.json" 2>"$app.said" && "$dir/mcpfunc" pack "$app" --check >>"$app.said"; then
		python3 - "$name" "$app" <<'PYTHON'
import json, sys
name, app = sys.argv[1:]
s = json.load(open(app + ".json"))["servers"][0]
start = json.load(open(app + "/packed/mcp_packed.json"))["servers"]["it"]["start"]
name = name or " ".join(f"{l['package']}@{l['version']}" for l in s["locked"][:1])
fork = s.get("fork") or {}
forked = f"yes, {fork['modules']} modules" + (", unless a caller has variables of its own" if "*" in fork.get("reads", []) else "") if fork.get("modules") else fork.get("why", "")
box = json.load(open(app + "/mcp_config.json"))["mcpServers"]["it"].get("sandbox", {})
may = [", ".join(map(str, box["network"])) if type(box.get("network")) is list else box.get("network", "all")]
if "write" in box:
    may.append(", ".join(box["write"]) or "nothing")
print(f"| `{name}` | {s['kind']} | {s['packages']} | {s['bytes'] / 1e6:.1f} | {'yes' if start.get('executables') else ''} | {'; '.join(may)} | {s['tools']} | {forked} |", flush=True)
PYTHON
	else
		failed=1
		printf '| `%s` | | | | | | fails | |\n' "${name:-$line}"
		sed 's/^/    /' "$app.said" >&2
	fi
	rm -rf "$app"
done <"$here/${LIST:-popular-servers.txt}"
exit $failed
