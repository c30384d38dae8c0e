package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatRunnersFetchIsPinned(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{ // the hints of what is not pinned
		"uvx mcp-server-time":                                           {"mcp-server-time==VERSION"},
		"uvx mcp-server-time==2026.7.1":                                 nil,
		"uvx mcp-server-time@2026.7.1":                                  nil,
		"uvx mcp-server-time@latest":                                    {"mcp-server-time==VERSION"},
		"uvx mcp-server-time>=2 --tz x":                                 {"mcp-server-time==VERSION"},
		"uvx mcp-server-time==2.*":                                      {"mcp-server-time==VERSION"},
		"uvx mcp-server-time==${TIME_VERSION}":                          nil,
		"uvx --from mcp-server-git[extra] git-server":                   {"mcp-server-git[extra]==VERSION"},
		"uvx --from=mcp-server-git[extra]==1 git-server":                nil,
		"uvx --python 3.12 -w httpx server==1":                          {"httpx==VERSION"},
		"uvx --with a==1,b server==1":                                   {"b==VERSION"},
		"uvx --exclude-newer 2026-01-01 server":                         nil,
		"uvx --from git+https://example.com/a.git a":                    {"git+https://example.com/a.git@COMMIT"},
		"uvx --from git+https://example.com/a.git@main a":               {"git+https://example.com/a.git@main@COMMIT"},
		"uvx --from git+https://example.com/a@" + zeros + " a":          nil,
		"uvx --from ./server server":                                    nil,
		"uvx --from https://example.com/a-1.0-py3-none-any.whl a":       nil,
		"uvx mcp-server-time>=2,<3":                                     {"mcp-server-time==VERSION"},
		"uvx -c constraints.txt server==1":                              nil,
		"uv --quiet run --with a server.py":                             {"a==VERSION"},
		"pipx run --spec server cmd":                                    {"server==VERSION"},
		"uv tool run server":                                            {"server==VERSION"},
		"uv run server.py":                                              nil,
		"C:\\bin\\uvx.exe server":                                       {"server==VERSION"},
		"npx -y @scope/server":                                          {"@scope/server@VERSION"},
		"npx -y @scope/server@1.2.3 --port 1":                           nil,
		"npx -y @scope/server@^1.2.3":                                   {"@scope/server@VERSION"},
		"npx server@1.2":                                                {"server@VERSION"},
		"npx server@latest":                                             {"server@VERSION"},
		"npx server@1.2.3-rc.1":                                         nil,
		"npx -p one@1.0.0 -p two two-bin":                               {"two@VERSION"},
		"npx --package=one@1.0.0 bin":                                   nil,
		"npx --registry https://example.com server":                     {"server@VERSION"},
		"npx ./server":                                                  nil,
		"npx github:user/repo#" + zeros:                                 nil,
		"npx github:user/repo":                                          {"github:user/repo@VERSION"},
		"npm exec -- server":                                            {"server@VERSION"},
		"pnpm dlx server@1.0.0":                                         nil,
		"bunx server":                                                   {"server@VERSION"},
		"npm start":                                                     nil,
		"docker run -i --rm -e TOKEN mcp/fetch":                         {"mcp/fetch@sha256:DIGEST"},
		"docker run -i --rm -eTOKEN=x --network host mcp/fetch:1.0 arg": {"mcp/fetch:1.0@sha256:DIGEST"},
		"docker run mcp/fetch@sha256:" + zeros:                          nil,
		"docker compose up":                                             nil,
		"python -m server":                                              nil,
		"./server":                                                      nil,
		"uvx":                                                           nil,
		"npx -y":                                                        nil,
	} {
		words := strings.Fields(line)
		var got []string
		for _, p := range packages(words[0], words[1:]) {
			if !p.pinned {
				got = append(got, p.form)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

const zeros = "0000000000000000000000000000000000000000"
