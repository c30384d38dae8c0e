package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestSessionsThatEndWithTheirInstanceAreWarnedOf(t *testing.T) {
	t.Parallel()
	for sessions, want := range map[string]bool{
		`{"on_lost":"404"}`: true, `{"on_lost":404}`: true, `{"on_lost":"notify"}`: false, `{"on_lost":"resurrect"}`: false, `{}`: false,
	} {
		path := filepath.Join(t.TempDir(), "mcp_config.json")
		text := `{"mcpServers":{"s":{"command":"s","sessions":` + sessions + `}}}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := config.Load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, a := range Advise(file) {
			got = got || a.Key == "sessions.on_lost" && strings.Contains(a.Text, "do not reinitialize")
		}
		if got != want {
			t.Errorf("%s: warned %v, want %v", sessions, got, want)
		}
	}
}

func TestRunnersInASandboxAreWarnedOf(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		`"command":"uvx","args":["a==1"]`:                                                "",
		`"command":"uvx","args":["a==1"],"sandbox":{"network":"none"}`:                   "sandbox.network",
		`"command":"npx","args":["-y","a@1.0.0"],"sandbox":{"network":[443]}`:            "",
		`"command":"npx","args":["-y","a@1.0.0"],"sandbox":{"network":[53],"write":[]}`:  "sandbox.network sandbox.write",
		`"command":"node","args":["a.js"],"sandbox":{"network":"none","write":["data"]}`: "",
		`"command":"node","args":["a.js"],"sandbox":{"write":["/tmp/","/tmp/a"]}`:        "sandbox.write",
	} {
		file, err := config.Parse("mcp_config.json", []byte(`{"mcpServers":{"s":{`+server+`}}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range Advise(file) {
			if a.Rule == RuleSandbox {
				got = append(got, a.Key)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: warned of %q, want %q", server, got, want)
		}
	}
}
