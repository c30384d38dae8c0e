package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/packmanifest"
)

func TestPinsAreToldOf(t *testing.T) {
	t.Parallel()
	server := func(name string, pin config.Pin) config.Server {
		return config.Server{Name: name, Enabled: true, Line: 7, Access: config.Access{Pin: pin}}
	}
	p := &Project{Dir: t.TempDir(), File: &config.File{Path: "f.json", Servers: []config.Server{
		server("strict", config.PinEnforce), server("bare", config.PinEnforce), server("usual", ""), server("loose", config.PinOff), server("unpacked", ""),
	}}}
	p.File.Servers[2].Access.Tools = config.AccessRules{
		Allow: []string{"a", "A"}, Deny: []string{"b*"}, Require: []config.Requirement{{Glob: "?", Roles: []string{"r"}}},
	}
	said := func() string {
		var lines []string
		for _, f := range p.pins() {
			lines = append(lines, fmt.Sprintf("%s: %s", f.Status, f.Detail))
		}
		return strings.Join(lines, "\n")
	}
	if got, want := said(), `fail: f.json:7: server "strict": "tools.pin" is "enforce"`; !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("never packed: %s", got)
	}
	sum := strings.Repeat("ab", 32)
	data, err := packmanifest.Pins{"strict": {"a": sum, "b": sum}, "usual": {"a": sum}, "loose": {}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Dir, packmanifest.Folder, packmanifest.PinsName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := said()
	for _, want := range []string{
		"ok: strict: 2 tools are pinned, and only these are served", `fail: f.json:7: server "bare"`, "ok: usual: 1 tools are pinned, and changes are logged",
		`"tools.allow" has "A", which does not match any of the server's 1 tools`, `"tools.deny" has "b*", which does not match any`, `warn: f.json:7: server "loose": "tools.pin" is "off"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if strings.Contains(got, "unpacked") || strings.Contains(got, `has "a"`) || strings.Contains(got, "tools.require") {
		t.Errorf("%s", got)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said(); !strings.HasPrefix(got, "fail: ") {
		t.Errorf("a broken file: %s", got)
	}
}
