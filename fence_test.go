package mcpfunc

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

const module = "github.com/mcpfunc/mcpfunc/"

// TestFences holds the rooms apart: who may import what, directly or not, and why not. A package
// that is not named here may not be imported by one that is.
func TestFences(t *testing.T) {
	t.Parallel()
	graph := importGraph(t)
	for _, fence := range []struct{ pkg, never, why string }{
		{"runtime", "github.com/spf13/cobra", "commands are of the tool, not of the app: it would be in every deployed handler"},
		{"runtime", "github.com/AlecAivazis/survey/v2", "a handler has nobody to ask"},
		{"runtime", module + "generator", "an app does not write projects"},
		{"runtime", module + "templates", "an app does not write projects"},
		{"runtime", module + "internal/configedit", "an app reads its configuration and never writes it"},
		{"internal/configedit", module + "internal/cli", "an edit is of bytes, for any caller"},
		{"runtime", module + "internal/cli", "the tool uses the runtime, never the other way round"},
		{"runtime", module + "internal/hostemu", "the host starts the app, never the other way round"},
		{"runtime", module + "internal/mcptest", "it is for tests"},
		{"runtime", module + "internal/fakeentra", "it is for tests"},
		{"runtime", module + "internal/testlimit", "it is for tests"},
		{"internal/testlimit", module, "every room's tests use it"},
		{"runtime", module + "internal/e2etest", "it is for tests"},
		{"cmd/mcpfunc", module + "internal/e2etest", "it is for tests"},
		{"runtime", "github.com/modelcontextprotocol/go-sdk/mcp", "its transports alter ids, lose progress and refuse unknown methods, and it adds 3.4 MB"},
		{"runtime", "github.com/go-jose/go-jose/v4", "the standard library checks points on curves, and go-jose adds 0.2 MB"},
		{"runtime", "github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential", "an exchange of tokens is one POST, and it adds 0.4 MB"},
		{"runtime", "text/template", "it calls methods by name, and the linker then keeps every exported method of every type: 8 MB of a handler"},
		{"runtime", "html/template", "it is made of text/template; internal/markup escapes"},
		{"internal/markup", module, "what is text does not depend on whose it is"},
		{"runtime", "testing", "flags of a test binary do not belong in an app"},
		{"generator", module + "runtime", "a scaffold is made of a parsed file; the runtime is only copied"},
		{"generator", "github.com/spf13/cobra", "Cobra lives in internal/cli and nowhere else"},
		{"generator", "github.com/AlecAivazis/survey/v2", "survey lives in internal/cli and nowhere else"},
		{"runtime", module + "internal/doctor", "a project is examined before it is deployed"},
		{"internal/doctor", "github.com/spf13/cobra", "what is found does not depend on who shows it"},
		{"internal/doctor", module + "internal/cli", "what is found does not depend on who shows it"},
		{"internal/funczip", module, "a package is made of files, whatever they are"},
		{"internal/bufpool", module, "it is the bottom"},
		{"runtime", "go.opentelemetry.io/", "an app without OpenTelemetry does not contain one byte of it"},
		{"runtime", "google.golang.org/", "it comes with OpenTelemetry's exporters"},
		{"cmd/mcpfunc", "go.opentelemetry.io/", "the tool carries the sources, and links none of them"},
		{"internal/calls", module, "who hears of calls does not know how they come and go"},
		{"internal/pace", module, "how often does not depend on what"},
		{"internal/recent", module, "how long does not depend on what"},
		{"internal/hostjson", module, "how a file is read does not depend on who reads it"},
		{"internal/message", module + "internal/framing", "a message does not know how it was told from the next one"},
		{"internal/message", module + "internal/process", "a message does not know where it came from"},
		{"internal/message", module + "internal/config", "what a message means is in its bytes alone"},
		{"internal/process", module + "internal/message", "a process writes bytes, whatever they mean"},
		{"internal/backplane", module + "internal/session", "it knows names and what is sealed, not sessions"},
		{"internal/eventlog", "github.com/redis/go-redis/v9", "a log does not know where it is kept"},
		{"internal/eventlog", module + "internal/session", "it knows streams, not whose they are or who reads them"},
		{"internal/session", "github.com/redis/go-redis/v9", "what instances share it is given"},
		{"internal/ticket", module, "what an id carries is for others to understand"},
		{"internal/streamhttp", module + "internal/process", "HTTP knows sessions, not processes; it may reach them through session alone"},
		{"internal/session", "net/http", "what HTTP is, only streamhttp knows"},
		{"internal/session", module + "internal/pool", "a session has a process of its own, and pools have no sessions"},
		{"internal/pool", module + "internal/session", "a request without a session knows none"},
		{"internal/pool", "github.com/redis/go-redis/v9", "what instances share it is given"},
		{"internal/policy", module + "internal/config", "it judges messages, wherever the rules come from"},
		{"internal/policy", module + "internal/child", "who sends what it lets pass is not its business"},
		{"internal/policy", "net/http", "what HTTP is, only streamhttp knows"},
		{"internal/pool", "net/http", "what HTTP is, only streamhttp knows"},
		{"internal/child", module + "internal/session", "a process does not know whose it is"},
		{"internal/child", module + "internal/pool", "a process does not know whose it is"},
		{"internal/child", module + "internal/stream", "who has a process says where goes what it says"},
		{"internal/child", module + "internal/admission", "who starts a process has room for it"},
		{"internal/stream", module + "internal/session", "a stream does not know what fills it"},
		{"internal/stream", module + "internal/pool", "a stream does not know what fills it"},
		{"internal/stream", module + "internal/child", "a stream does not know what fills it"},
		{"internal/stream", module + "internal/admission", "a stream needs no room"},
		{"internal/admission", module, "room is given to tenants, whatever they are"},
		{"internal/process", module + "internal/child", "a process does not know why it runs"},
		{"internal/process", module + "internal/session", "a process does not know whose it is"},
		{"internal/watch", module + "internal/session", "sessions report to it, and it asks nothing of them"},
		{"internal/devpage", module + "internal/session", "the page shows what was reported, and touches no session"},
		{"internal/framing", module + "internal/process", "bytes come from any reader"},
		{"internal/authn", module + "internal/session", "who somebody is does not depend on what they do"},
		{"internal/config", module + "runtime", "the file does not know who reads it"},
		{"internal/config", "go.yaml.in/yaml/v3", "an app reads JSON alone; other notations are imported before there is one"},
		{"runtime", module + "internal/importer", "what other clients write is brought into our form before there is an app"},
		{"internal/importer", module + "internal/cli", "the caller shows what was skipped and changed"},
		{"internal/importer", module + "generator", "servers are read here, and no project written"},
		{"internal/importer", "github.com/spf13/cobra", "Cobra lives in internal/cli and nowhere else"},
		{"internal/importer", "os/exec", "what anybody wrote into a file is read, and nothing of it run"},
		{"internal/importer", "net/http", "the caller fetches what is at a URL"},
		{"runtime", module + "internal/terminal", "an app writes JSON, in which printable escapes"},
		{"internal/printable", module, "what may be shown does not depend on who said it"},
		{"internal/secret", module, "what a secret is does not depend on who asks"},
		{"internal/packmanifest", module, "what was packed is a file format: it knows neither the configuration nor processes"},
		{"runtime", module + "internal/pack", "an app installs nothing"},
		{"internal/session", module + "internal/manifest", "what a server is known to answer it is given"},
		{"internal/pool", module + "internal/manifest", "what a server is known to answer it is given"},
		{"internal/manifest", module + "internal/session", "it knows answers, not who is given them"},
		{"internal/manifest", module + "internal/child", "it knows answers, and starts nothing"},
		{"runtime", module + "internal/nuget", "an app downloads no packages"},
		{"runtime", module + "internal/image", "an app runs in an image, and knows none"},
		{"runtime", "oras.land/oras-go/v2/registry/remote", "an app asks no registry"},
		{"internal/image", module, "a Dockerfile is text to it"},
		{"generator", module + "internal/image", "a scaffold is made without asking anybody"},
		{"runtime", module + "internal/nugettest", "it is for tests"},
		{"cmd/mcpfunc", module + "internal/nugettest", "it is for tests"},
		{"internal/nuget", module, "it knows packages and feeds, not their users"},
		{"generator", module + "internal/nuget", "a scaffold is made without asking anybody"},
		{"internal/pack", module + "runtime", "packing knows a server by its command; whether it answers is asked by who calls"},
		{"internal/pack", module + "internal/doctor", "what is examined does not know by whom"},
		{"internal/authprobe", module + "internal/cli", "what is found does not depend on who shows it"},
		{"internal/authprobe", "github.com/spf13/cobra", "what is found does not depend on who shows it"},
		{"internal/authprobe", module + "runtime", "it is a client, and knows a server by what that answers"},
		{"internal/remotecheck", module + "internal/cli", "what is found does not depend on who shows it"},
		{"internal/remotecheck", "github.com/spf13/cobra", "what is found does not depend on who shows it"},
		{"internal/remotecheck", module + "runtime", "it is a client, and knows an app by what that answers"},
		{"internal/publish", module + "internal/cli", "it reports to a console, not to a command"},
		{"internal/publish", "github.com/spf13/cobra", "it reports to a console, not to a command"},
		{"internal/publish", module + "internal/doctor", "the caller checks what is published"},
		{"internal/publish", module + "runtime", "a project is files to it"},
		{"internal/packprobe", module + "internal/cli", "whether a server answers does not depend on who asks"},
		{"internal/packprobe", "github.com/spf13/cobra", "whether a server answers does not depend on who asks"},
		{"internal/hint", module, "every room may give a hint"},
		{"runtime", module + "internal/publish", "an app is published, and publishes nothing"},
		{"runtime", module + "internal/authprobe", "an app is asked, and asks no app"},
		{"internal/hostemu", module + "runtime", "the host knows a handler by its port alone"},
	} {
		deps, ok := graph[module+fence.pkg]
		if !ok {
			t.Errorf("%s is fenced, and there is no such package", fence.pkg)
			continue
		}
		reached := deps.All
		if fence.pkg == "internal/streamhttp" { // which reaches processes through sessions
			reached = deps.Direct
		}
		for _, dep := range reached {
			if dep == fence.never || strings.HasSuffix(fence.never, "/") && strings.HasPrefix(dep, fence.never) {
				t.Errorf("%s imports %s: %s", fence.pkg, dep, fence.why)
			}
		}
	}
}

// A pkgDeps is what a package imports: by itself, and with all that comes with it.
type pkgDeps struct{ Direct, All []string }

// importGraph asks for the imports of every package of this module at once.
func importGraph(t *testing.T) map[string]pkgDeps {
	t.Helper()
	graph := map[string]pkgDeps{}
	for dec := json.NewDecoder(bytes.NewReader(goTool(t, ".", nil, "list", "-json=ImportPath,Imports,Deps", "./..."))); ; {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		err := dec.Decode(&p)
		if err == io.EOF {
			return graph
		}
		if err != nil {
			t.Fatal(err)
		}
		graph[p.ImportPath] = pkgDeps{p.Imports, p.Deps}
	}
}
