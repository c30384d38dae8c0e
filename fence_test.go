package mcpfunc

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/mcpfunc/mcpfunc/"

// TestFences holds the rooms apart: who may import what, directly or not, and why not. A package
// that is not named here may not be imported by one that is.
func TestFences(t *testing.T) {
	t.Parallel()
	for _, fence := range []struct{ pkg, never, why string }{
		{"runtime", "github.com/spf13/cobra", "commands are of the tool, not of the app: it would be in every deployed handler"},
		{"runtime", "github.com/AlecAivazis/survey/v2", "a handler has nobody to ask"},
		{"runtime", module + "generator", "an app does not write projects"},
		{"runtime", module + "templates", "an app does not write projects"},
		{"runtime", module + "internal/cli", "the tool uses the runtime, never the other way round"},
		{"runtime", module + "internal/hostemu", "the host starts the app, never the other way round"},
		{"runtime", module + "internal/mcptest", "it is for tests"},
		{"runtime", module + "internal/fakeentra", "it is for tests"},
		{"runtime", module + "internal/e2etest", "it is for tests"},
		{"cmd/mcpfunc", module + "internal/e2etest", "it is for tests"},
		{"runtime", "github.com/modelcontextprotocol/go-sdk/mcp", "its transports alter ids, lose progress and refuse unknown methods, and it adds 3.4 MB"},
		{"runtime", "testing", "flags of a test binary do not belong in an app"},
		{"generator", module + "runtime", "a scaffold is made of a parsed file; the runtime is only copied"},
		{"generator", "github.com/spf13/cobra", "Cobra lives in internal/cli and nowhere else"},
		{"generator", "github.com/AlecAivazis/survey/v2", "survey lives in internal/cli and nowhere else"},
		{"runtime", module + "internal/doctor", "a project is examined before it is deployed"},
		{"internal/doctor", "github.com/spf13/cobra", "what is found does not depend on who shows it"},
		{"internal/doctor", module + "internal/cli", "what is found does not depend on who shows it"},
		{"internal/funczip", module, "a package is made of files, whatever they are"},
		{"internal/message", module, "it is the bottom"},
		{"internal/shared", module + "internal/session", "it knows ids and what is sealed, not sessions"},
		{"internal/eventlog", "github.com/redis/go-redis/v9", "a log does not know where it is kept"},
		{"internal/eventlog", module + "internal/session", "it knows streams, not whose they are or who reads them"},
		{"internal/session", "github.com/redis/go-redis/v9", "what instances share it is given"},
		{"internal/ticket", module, "what an id carries is for others to understand"},
		{"internal/streamhttp", module + "internal/process", "HTTP knows sessions, not processes; it may reach them through session alone"},
		{"internal/session", "net/http", "what HTTP is, only streamhttp knows"},
		{"internal/process", module + "internal/session", "a process does not know whose it is"},
		{"internal/watch", module + "internal/session", "sessions report to it, and it asks nothing of them"},
		{"internal/devpage", module + "internal/session", "the page shows what was reported, and touches no session"},
		{"internal/framing", module + "internal/process", "bytes come from any reader"},
		{"internal/authn", module + "internal/session", "who somebody is does not depend on what they do"},
		{"internal/config", module + "runtime", "the file does not know who reads it"},
		{"internal/config", "go.yaml.in/yaml/v3", "an app reads JSON alone; other notations are imported before there is one"},
		{"runtime", module + "internal/importer", "what other clients write is brought into our form before there is an app"},
		{"internal/importer", module + "internal/cli", "what was left out and changed is told by whoever shows it"},
		{"internal/importer", module + "generator", "servers are read here, and no project written"},
		{"internal/importer", "github.com/spf13/cobra", "Cobra lives in internal/cli and nowhere else"},
		{"internal/importer", "os/exec", "what anybody wrote into a file is read, and nothing of it run"},
		{"internal/importer", "net/http", "what lies behind a URL is fetched by whoever was given it"},
		{"internal/packmanifest", module, "what was packed is a file format: it knows neither the configuration nor processes"},
		{"runtime", module + "internal/pack", "an app installs nothing"},
		{"internal/pack", module + "runtime", "packing knows a server by its command; whether it answers is asked by who calls"},
		{"internal/pack", module + "internal/doctor", "what is examined does not know by whom"},
		{"internal/hostemu", module + "runtime", "the host knows a handler by its port alone"},
	} {
		direct := fence.pkg == "internal/streamhttp" // which reaches processes through sessions
		for _, dep := range imports(t, fence.pkg, direct) {
			if dep == fence.never || strings.HasSuffix(fence.never, "/") && strings.HasPrefix(dep, fence.never) {
				t.Errorf("%s imports %s: %s", fence.pkg, dep, fence.why)
			}
		}
	}
}

// imports lists what a package imports: by itself, or with all that comes with it.
func imports(t *testing.T, pkg string, direct bool) []string {
	t.Helper()
	args := []string{"list", "-deps", "-f", "{{.ImportPath}}"}
	if direct {
		args = []string{"list", "-f", `{{join .Imports "\n"}}`}
	}
	out, err := exec.CommandContext(t.Context(), "go", append(args, "./"+pkg)...).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	var deps []string
	for dep := range strings.FieldsSeq(string(out)) {
		if dep != module+pkg {
			deps = append(deps, dep)
		}
	}
	return deps
}
