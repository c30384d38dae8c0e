package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestFunctionsThatTheHostDoesNotBearAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"host.json":            `{"version":"2.0","extensions":{"http":{"routePrefix":""}},"customHandler":{"description":{"defaultExecutablePath":"handler"},"enableProxyingHttpRequest":true}}`,
		"broken/function.json": `{`,
		"odd/function.json":    `{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","route":"a//b"},{"type":"http","direction":"out","name":"res"}]}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := fmt.Sprintf("%+v", (&Project{Dir: dir, File: &config.File{}}).host())
	for _, want := range []string{"the host leaves function broken out: broken/function.json", `the host answers 503 to everything: odd/function.json: route "a//b"`} {
		if !strings.Contains(found, want) {
			t.Errorf("the findings lack %q: %s", want, found)
		}
	}
}
