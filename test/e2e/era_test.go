//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// The suite's exit code says whether all scenarios that count passed; of the others the bridge must not lose one.
func TestConformanceSuiteOfTheRevisionWithoutSessionsPasses(t *testing.T) {
	child := conformanceServer(t)
	b := bridge(t, fmt.Sprintf(`{"mcpServers": {"everything": {"command": %q}}}`, child))
	direct := conform(t, serveHTTP(t, child, "-stateless=true"), stateless.pkg, stateless.args)
	bridged := conform(t, b.Endpoint("everything"), stateless.pkg, stateless.args)

	d, g := direct.total(), bridged.total()
	t.Logf("2026-07-28: %d passed and %d failed over the server's own HTTP, %d and %d over the bridge; they differ in:\n%s",
		d.passed, d.failed, g.passed, g.failed, difference(direct.scenarios, bridged.scenarios))
	if direct.exit != nil {
		t.Errorf("the reference server over its own HTTP: %v\n%s", direct.exit, direct.log)
	}
	if bridged.exit != nil {
		t.Errorf("the bridge: %v\n%s", bridged.exit, strings.Join(bridged.failures, "\n"))
	}
	for scenario, own := range direct.scenarios {
		if got := bridged.scenarios[scenario]; got.failed > own.failed {
			t.Errorf("%s: %d checks failed, %d over the server's own HTTP", scenario, got.failed, own.failed)
		}
	}
}

const (
	legacy = "2025-11-25"
	modern = "2026-07-28"
)

// agreed is how a client and a server got on: in a version, or not at all.
type agreed struct{ Version, Answer, Error string }

// Every client meets every server through the bridge, and where they have an era in common they find
// it by themselves. A client with a version alone has nothing to fall back to.
func TestClientsAndServersFindTheEraThatTheyShare(t *testing.T) {
	server := eraServer(t)
	b := bridge(t, fmt.Sprintf(`{"mcpServers": {
		"legacy": {"command": %[1]q, "args": ["2025-11-25"]},
		"modern": {"command": %[1]q, "args": ["2026-07-28"]},
		"dual": {"command": %[1]q, "args": ["2025-11-25", "2026-07-28"]}
	}}`, server))
	none := ""
	want := map[string]map[string]string{ // by mode of the client and server
		"legacy": {"legacy": legacy, "modern": none, "dual": legacy},
		"auto":   {"legacy": legacy, "modern": modern, "dual": modern},
		modern:   {"legacy": none, "modern": modern, "dual": modern},
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "client\tmode\tlegacy server\tmodern server\tdual server")
	for _, client := range []struct {
		name  string
		meet  func(t *testing.T, url, mode string) agreed
		modes []string
	}{
		{"go-sdk 1.8", meetGo, []string{"legacy", "auto"}},
		{"TypeScript 2.4", eraScript(node, "typescript2", "era.mjs"), []string{"legacy", "auto", modern}},
		{"Python 2.3", eraScript(e2etest.Tool("python2", "bin", "python"), "python2", "era.py"), []string{"legacy", "auto", modern}},
	} {
		for _, mode := range client.modes {
			fmt.Fprintf(w, "%s\t%s", client.name, mode)
			for _, server := range []string{"legacy", "modern", "dual"} {
				got := client.meet(t, b.Endpoint(server), mode)
				cell := got.Version
				switch version := want[mode][server]; {
				case version != none && (got.Version != version || got.Answer != "Echo: hello"):
					t.Errorf("%s, mode %s, with the %s server: %+v, want version %s", client.name, mode, server, got, version)
				case version == none && got.Error == "":
					t.Errorf("%s, mode %s, with the %s server: %+v, want an error", client.name, mode, server, got)
				case version == none:
					cell = "refused"
					t.Logf("%s, mode %s, with the %s server: %s", client.name, mode, server, got.Error)
				}
				fmt.Fprintf(w, "\t%s", cell)
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
	t.Logf("versions agreed upon:\n%s", table.String())
}

func meetGo(t *testing.T, url, mode string) agreed {
	options := &mcp.ClientSessionOptions{}
	if mode == "legacy" {
		options.ProtocolVersion = legacy
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "mcpfunc-e2e-go", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, options)
	if err != nil {
		return agreed{Error: err.Error()}
	}
	defer session.Close()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"message": "hello"}})
	if err != nil {
		return agreed{Error: err.Error()}
	}
	answer := ""
	if len(result.Content) == 1 {
		if text, ok := result.Content[0].(*mcp.TextContent); ok {
			answer = text.Text
		}
	}
	return agreed{Version: session.InitializeResult().ProtocolVersion, Answer: answer}
}

// eraScript is a client in another language that takes a URL and a mode.
func eraScript(interpreter string, file ...string) func(t *testing.T, url, mode string) agreed {
	return func(t *testing.T, url, mode string) (got agreed) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
		defer cancel()
		cmd := exec.CommandContext(ctx, interpreter, filepath.Join(append([]string{"clients"}, file...)...), url, mode)
		cmd.Env = e2etest.Environ()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || json.Unmarshal(out, &got) != nil {
			t.Fatalf("%v in mode %s printed %q (%v)\n%s", file, mode, out, err, stderr.String())
		}
		return got
	}
}
