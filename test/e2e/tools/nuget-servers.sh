#!/usr/bin/env bash
# Packs real servers from NuGet, each in a project of its own, and asks them for their tools. It wants a feed that can be reached:
# the public one, or what NuGet.Config says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/mcpfunc" ./cmd/mcpfunc
for spec in "$@"; do
	app=$dir/${spec%@*}
	printf '\n== %s\n' "$spec"
	"$dir/mcpfunc" init "$app" --quiet --yes -- dnx "$spec" --yes
	"$dir/mcpfunc" pack "$app"
	"$dir/mcpfunc" pack "$app" --offline --no-probe --quiet
	"$dir/mcpfunc" pack "$app" --check
	du -sh "$app/packed"
done
