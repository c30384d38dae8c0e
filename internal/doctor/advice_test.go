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
			got = got || a.Key == "sessions.on_lost" && strings.Contains(a.Text, "begin anew")
		}
		if got != want {
			t.Errorf("%s: warned %v, want %v", sessions, got, want)
		}
	}
}
