package pack

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcpfunc/mcpfunc/internal/nuget"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

// line makes a command of a line whose words hold no blanks.
func line(text string) packmanifest.Command {
	words := strings.Fields(text)
	return packmanifest.Command{Command: words[0], Args: words[1:]}
}

func TestParseCommandReadsWhatTheRunnersRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Recipe{
		// uvx: docs.astral.sh/uv, "Using tools".
		"uvx mcp-server-time --local-timezone UTC":             {Kind: KindPython, Requires: []string{"mcp-server-time"}, Script: "mcp-server-time", Replaces: 1},
		"uvx mcp-server-time@2026.10.19":                       {Kind: KindPython, Requires: []string{"mcp-server-time==2026.10.19"}, Script: "mcp-server-time", Replaces: 1},
		"uvx mcp-server-time@latest":                           {Kind: KindPython, Requires: []string{"mcp-server-time"}, Script: "mcp-server-time", Replaces: 1},
		"uvx mcp-server-time==1.2 -v":                          {Kind: KindPython, Requires: []string{"mcp-server-time==1.2"}, Script: "mcp-server-time", Replaces: 1},
		"uvx mcp[cli]>=1.2,<2 run":                             {Kind: KindPython, Requires: []string{"mcp[cli]>=1.2,<2"}, Script: "mcp", Replaces: 1},
		"uvx --from mcp[cli]@1.30.0 mcp run":                   {Kind: KindPython, Requires: []string{"mcp[cli]==1.30.0"}, Script: "mcp", Replaces: 3},
		"uvx --from=pkg cmd --from x":                          {Kind: KindPython, Requires: []string{"pkg"}, Script: "cmd", Replaces: 2},
		"uvx -q --with a>=1,<2,b==2 -w c pkg":                  {Kind: KindPython, Requires: []string{"a>=1,<2", "b==2", "c", "pkg"}, Script: "pkg", Replaces: 6},
		"uvx --python 3.12 pkg":                                {Kind: KindPython, Requires: []string{"pkg"}, Script: "pkg", PythonVersion: "3.12", Replaces: 3},
		"uvx -p cpython3.11.4 -- pkg -- x":                     {Kind: KindPython, Requires: []string{"pkg"}, Script: "pkg", PythonVersion: "3.11", Replaces: 4},
		"uvx --from pkg python -m pkg.server --x":              {Kind: KindPython, Requires: []string{"pkg"}, Module: "pkg.server", Replaces: 5},
		"uvx --default-index https://pypi.example/simple pkg":  {Kind: KindPython, Requires: []string{"pkg"}, Options: []string{"--default-index=https://pypi.example/simple"}, Script: "pkg", Replaces: 3},
		"/usr/local/bin/uvx pkg":                               {Kind: KindPython, Requires: []string{"pkg"}, Script: "pkg", Replaces: 1},
		"uv tool run pkg a":                                    {Kind: KindPython, Requires: []string{"pkg"}, Script: "pkg", Replaces: 3},
		"uv --no-progress x pkg":                               {Kind: KindPython, Requires: []string{"pkg"}, Script: "pkg", Replaces: 3},
		"uv run server.py --port 1":                            {Kind: KindPython, File: "server.py", Replaces: 2},
		"uv run --with mcp --no-project servers/time.py":       {Kind: KindPython, Requires: []string{"mcp"}, File: "servers/time.py", Replaces: 5},
		"uv run --with mcp mcp run x.py":                       {Kind: KindPython, Requires: []string{"mcp"}, Script: "mcp", Replaces: 4},
		"uv run --with pkg -m pkg.server x":                    {Kind: KindPython, Requires: []string{"pkg"}, Module: "pkg.server", Replaces: 5},
		"uv run --with pkg python -u -m pkg -u":                {Kind: KindPython, Requires: []string{"pkg"}, Flags: []string{"-u"}, Module: "pkg", Replaces: 7},
		"uv run -s tool x":                                     {Kind: KindPython, File: "tool", Replaces: 3},
		"uv run --with-requirements r.txt s.py":                {Kind: KindPython, Files: []string{"r.txt"}, File: "s.py", Replaces: 4},
		"pipx run pkg==1 x":                                    {Kind: KindPython, Requires: []string{"pkg==1"}, Script: "pkg", Replaces: 2},
		"pipx run --spec pkg==1 cmd x":                         {Kind: KindPython, Requires: []string{"pkg==1"}, Script: "cmd", Replaces: 4},
		"python3 server.py -m x":                               {Kind: KindPython, File: "server.py", Replaces: 1},
		"python -u -X utf8 server.py":                          {Kind: KindPython, Flags: []string{"-u", "-X", "utf8"}, File: "server.py", Replaces: 4},
		"python3.12 -m mcp_server_time --x":                    {Kind: KindPython, Module: "mcp_server_time", PythonVersion: "3.12", Replaces: 2},
		"/opt/python/bin/python3 -m x":                         {Kind: KindPython, Module: "x", Replaces: 2},
		"npx -y @modelcontextprotocol/server-filesystem /data": {Kind: KindNode, Requires: []string{"@modelcontextprotocol/server-filesystem@latest"}, Replaces: 2},
		"npx -y @scope/pkg@1.2.3 -y":                           {Kind: KindNode, Requires: []string{"@scope/pkg@1.2.3"}, Replaces: 2},
		"npx pkg@next":                                         {Kind: KindNode, Requires: []string{"pkg@next"}, Replaces: 1},
		"npx pkg@^1.2":                                         {Kind: KindNode, Requires: []string{"pkg@^1.2"}, Replaces: 1},
		"npx -p a -p @b/c@2 cmd x":                             {Kind: KindNode, Requires: []string{"a@latest", "@b/c@2"}, Script: "cmd", Replaces: 5},
		"npx --yes --package=a -- cmd --x":                     {Kind: KindNode, Requires: []string{"a@latest"}, Script: "cmd", Replaces: 4},
		"npx -- pkg -- --x":                                    {Kind: KindNode, Requires: []string{"pkg@latest"}, Replaces: 2},
		"npm exec -y -- pkg@1 --x":                             {Kind: KindNode, Requires: []string{"pkg@1"}, Replaces: 4},
		"npm exec pkg -- --x":                                  {Kind: KindNode, Requires: []string{"pkg@latest"}, Replaces: 3},
		"npm x pkg a":                                          {Kind: KindNode, Requires: []string{"pkg@latest"}, Replaces: 2},
		"dnx Acme.Dates@1.2.0 --yes":                           {Kind: KindDotnet, Requires: []string{"Acme.Dates@1.2.0"}, Replaces: 2},
		"dnx Acme.Dates --yes start -y":                        {Kind: KindDotnet, Requires: []string{"Acme.Dates"}, Replaces: 2, Skips: []int{3}},
		"dnx Acme.Dates x --version 1.* -- --yes":              {Kind: KindDotnet, Requires: []string{"Acme.Dates@1.*"}, Replaces: 1, Skips: []int{2, 3, 4}},
		"dotnet dnx Acme.Dates@1.0 --source https://x:${PAT}@f.example/index.json --allow-roll-forward -- ${ZONE}": {Kind: KindDotnet, Requires: []string{"Acme.Dates@1.0"}, Options: []string{"--source=https://x:${PAT}@f.example/index.json", "--allow-roll-forward"}, Replaces: 6},
		"dotnet tool run acme-dates --x":              {Kind: KindDotnet, Replaces: 3},
		"node --enable-source-maps dist/index.js --x": {Kind: KindNode, Flags: []string{"--enable-source-maps"}, File: "dist/index.js", Replaces: 2},
		"node --import ./a.mjs --title=x index.js":    {Kind: KindNode, Flags: []string{"--import", "./a.mjs", "--title=x"}, File: "index.js", Replaces: 4},
		"./bin/server --stdio":                        {Kind: KindProgram, File: "./bin/server"},
		"github-mcp-server stdio":                     {Kind: KindProgram, File: "github-mcp-server"},
	} {
		got, err := ParseCommand(line(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, *got, cmpopts.IgnoreUnexported(Recipe{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if specs := specsOf(line(text)); len(specs) != len(want.Requires) {
			t.Errorf("%s: fetches %q, requires %q", text, specs, want.Requires)
		}
	}
}

// specsOf lists the packages that a command line fetches.
func specsOf(c packmanifest.Command) []string {
	got := Fetches(c)
	return slices.Concat(got.Python, got.Node, got.Dotnet)
}

func TestParseCommandSaysWhyItCannotPack(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"uvx":                             "missing package",
		"uvx --from":                      "needs a value",
		"uvx --isolated=1 x":              "does not take a value",
		"uvx --frobnicate x":              "--frobnicate is not supported",
		"uvx git+https://example.com/a/b": "is a repository",
		"uvx --from git+ssh://git@example.com/a b": "is a repository",
		"uvx --from https://example.com/a.whl b":   "is a URL",
		"uvx --from ./dist/a.whl b":                "is a path of this machine",
		"uvx --from . b":                           "is a path of this machine",
		"uvx pkg@${VERSION}":                       "known only when the app starts",
		"${RUNNER} pkg":                            "known only when the app starts",
		"uvx --python /usr/bin/python3 pkg":        "exists only on one machine",
		"uv --directory /src run server":           "starts a project",
		"uv pip install x":                         "uv pip does not start a server",
		"uv run --with x":                          "missing command",
		"pipx install x":                           "only \"pipx run\"",
		"python3":                                  "missing script or module",
		"python3 -c pass":                          "-c is not a file",
		"npx -c x":                                 "needs a shell",
		"npx github:user/repo":                     "is a repository",
		"npx https://example.com/a.tgz":            "is a URL",
		"npx ./local":                              "is a path of this machine",
		"npx -y":                                   "missing package",
		"npm run start":                            "npm run starts a script",
		"npm exec pkg --x":                         "interprets --x as its own option",
		"node -e 1":                                "the code after -e is not a file",
		"node --inspect":                           "missing script",
		"docker run -i x":                          "Azure Functions does not have",
		"bunx x":                                   "bunx is not supported",
		"dnx --yes":                                "missing package",
		"dnx Acme.Dates@${VERSION} --yes":          "known only when the app starts",
		"dotnet run --project /src":                "dotnet run builds a project of this machine",
		"dotnet bin/dates.dll":                     "starts a file of this machine",
		"/home/me/.dotnet/tools/acme-dates":        "is a .NET tool that is installed on this machine alone",
	} {
		recipe, err := ParseCommand(line(text))
		var refused *RecipeError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, error %v, want one with %q", text, recipe, err, want)
		}
	}
}

// Whatever a configuration holds, reading it ends, replaces no more words than there are, and never
// takes a variable for what to install.
func FuzzParseCommand(f *testing.F) {
	for _, text := range []string{"uvx --from a b c", "npx -y @a/b@1 -- c", "npm exec a -- -b", "python3 -u -m x y", "node --import a b", "uv run --with a b", "pipx run --spec a b", "dnx A@1 --yes b --version 2", "dotnet tool run a -- b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Split(text, " ")
		c := packmanifest.Command{Command: words[0], Args: words[1:]}
		r, err := ParseCommand(c)
		if err != nil {
			Fetches(c) // reads this one, too
			return
		}
		if specs := specsOf(c); len(specs) != len(r.Requires) {
			t.Fatalf("%q: fetches %q, requires %q", words, specs, r.Requires)
		}
		if r.Replaces < 0 || r.Replaces > len(c.Args) {
			t.Fatalf("%q: replaces %d of %d", words, r.Replaces, len(c.Args))
		}
		// A source of NuGet packages may be opened by a variable.
		if r.Kind != KindDotnet && strings.Contains(strings.Join(c.Args[:r.Replaces], " "), "${") {
			t.Fatalf("%q: a variable is part of what is packed", words)
		}
		for _, require := range r.Requires {
			if r.Kind == KindDotnet {
				if id, _, _ := strings.Cut(require, "@"); !nuget.ValidID(id) {
					t.Fatalf("%q: requires %q", words, require)
				}
			} else if r.Kind == KindNode {
				if name, version := splitNPM(require); name == "" || version == "" {
					t.Fatalf("%q: requires %q", words, require)
				}
			} else if requirementName(require) == "" {
				t.Fatalf("%q: requires %q", words, require)
			}
		}
	})
}
