package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// A handler of one architecture cannot start what was packed for another.
func TestHandlerIsForWhatIsPacked(t *testing.T) {
	t.Parallel()
	for arch, want := range map[string]Status{"amd64": Fail, "arm64": Warn} { // arm64 is no platform of Functions, but fits
		dir := t.TempDir()
		for name, text := range map[string]string{
			"handler": nugettest.Program(arch, ""), "packed/mcp_packed.json": `{"format": 1, "platform": "linux/arm64", "servers": {}}`,
		} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := (&Project{Dir: dir}).handler("handler")
		if got.Status != want || want == Fail && (!strings.Contains(got.Detail, "what is packed is for linux/arm64") || !strings.Contains(got.Hint, "pack --goarch amd64")) {
			t.Errorf("a handler for %s: %+v, want %s", arch, got, want)
		}
	}
}
