//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

// The folders of examples/ work as their README says: every line there that begins with mcpfunc is run,
// and answers what it must.
func TestExamplesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	idp, settings := entra(t)
	for _, example := range []struct {
		name string
		env  []string          // of the app
		call []string          // of the person who calls
		want map[string]string // what a line answers, by a part of the line

		never string // what no line answers; empty for anything
	}{
		{name: "time-python", want: map[string]string{
			"tools time": "convert_time", "call time convert_time": "T03:00:00+00:00",
		}},
		{name: "everything-node", want: map[string]string{
			"tools everything": "get-sum", "call everything echo": "hello", "call everything get-sum": "42",
		}},
		{name: "own-binary", want: map[string]string{
			"call notes add": "note 1 is kept", "call notes list": "there are no notes",
		}},
		{name: "two-servers", want: map[string]string{
			"call memory read_graph": "entities", "call time get_current_time": "UTC", "tools http": "convert_time",
			"add-server everything": "update host.json", "remove-server everything": "update host.json",
		}},
		{name: "tool-policy", never: "convert_time", want: map[string]string{
			"tools time": "get_current_time", "call time get_current_time": "UTC",
		}},
		{name: "user-secret", want: map[string]string{
			"call everything get-env": "key-of-alice", "tools everything": "get-env",
		}},
		{name: "audit-and-trace", want: map[string]string{"call time get_current_time": "UTC"}},
		{name: "entra-obo", env: settings, call: append(settings, "MCPFUNC_TOKEN="+token(idp, alice)), want: map[string]string{
			"list": "azure_obo", "doctor auth": "ok", "tools fabric-rti": "kusto_query", "call fabric-rti": "kusto",
		}},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join("..", "..", "examples", example.name)
			dir := scaffold(t, text(t, filepath.Join(folder, "mcp_config.json")))
			if example.name == "own-binary" {
				build := exec.Command("go", "build", "-o", filepath.Join(dir, "notes"), "./examples/own-binary")
				build.Dir = filepath.Join("..", "..")
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("go build: %v\n%s", err, out)
				}
			}
			b := serve(t, dir, example.env...)
			asked := 0
			for _, line := range commands(text(t, filepath.Join(folder, "README.md"))) {
				out := runLine(t, b, line, example.call)
				if example.never != "" && strings.Contains(out, example.never) {
					t.Errorf("%s answers %q", line, out)
				}
				for part, want := range example.want {
					if strings.HasPrefix(line, "mcpfunc "+part) {
						asked++
						if !strings.Contains(out, want) {
							t.Errorf("%s answers %q, want %q in it", line, out, want)
						}
					}
				}
			}
			if asked != len(example.want) {
				t.Errorf("the README has %d of %d lines", asked, len(example.want))
			}
		})
	}
}

// text is what a file holds.
func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// commands returns the lines of a README that run mcpfunc, but for init and dev, in whose place we
// scaffold and serve.
func commands(readme string) (lines []string) {
	for line := range strings.Lines(readme) {
		line, code := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if code && strings.HasPrefix(line, "mcpfunc ") && !strings.HasPrefix(line, "mcpfunc init ") && !strings.HasPrefix(line, "mcpfunc dev ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// runLine runs a line of a README in a shell and returns what it prints. The app that it means is b.
func runLine(t *testing.T, b *Bridge, line string, env []string) string {
	t.Helper()
	line = strings.ReplaceAll(line, "http://127.0.0.1:7071", b.URL)
	line = strings.ReplaceAll(line, "--project myapp", "--project '"+b.Dir+"'")
	for _, verb := range []string{"tools", "call", "doctor auth"} {
		// The metadata of a protected server name localhost, as its public address here.
		line = strings.Replace(line, "mcpfunc "+verb+" ", "mcpfunc "+verb+" --url "+strings.Replace(b.URL, "127.0.0.1", "localhost", 1)+" ", 1)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env = append(append(e2etest.Environ(), env...), "PATH="+filepath.Dir(mcpfunc(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}
