package doctor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestConfigurationThatOthersCanWriteIsWarnedOf(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "mcp_config.json")
	data := []byte(`{"mcpServers": {"a": {"command": "x"}}}`)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse(path, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Project{Dir: dir, File: file}
	for _, example := range []struct {
		path string
		mode os.FileMode
		want bool
	}{
		{path, 0o644, false}, {path, 0o664, false}, {path, 0o666, true}, {path, 0o600, false},
		{dir, 0o777, true}, {dir, 0o777 | os.ModeSticky, false}, {dir, 0o755, false},
	} {
		if err := os.Chmod(example.path, example.mode); err != nil {
			t.Fatal(err)
		}
		found := p.writable()
		if got := len(found) == 1 && found[0].Status == Warn && strings.Contains(found[0].Hint, "chmod o-w "+example.path); got != example.want {
			t.Errorf("%v: %+v", example, found)
		}
	}
}
