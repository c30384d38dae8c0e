#!/usr/bin/env bash
# Records scene.sh with asciinema (PyPI) and draws it as an animated SVG with svg-term-cli (npm).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
tools=${MCPFUNC_CAST_TOOLS:-$HOME/.cache/mcpfunc-cast}
[ -x "$tools/bin/asciinema" ] || {
	python3 -m venv "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check asciinema==2.4.0
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" svg-term-cli@2.1.1
}
bin=$(mktemp -d)
cast=$(mktemp)
trap 'rm -rf "$bin" "$cast"' EXIT
(cd ../.. && go build -o "$bin/mcpfunc" ./cmd/mcpfunc)
PATH="$bin:$PATH" "$tools/bin/asciinema" rec --quiet --overwrite --cols 100 --rows 26 --idle-time-limit 2 --command ./scene.sh "$cast"
"$tools/node_modules/.bin/svg-term" --in "$cast" --out ../images/cast.svg --window --no-cursor --width 100 --height 26
