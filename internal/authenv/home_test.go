//go:build unix

package authenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// On Flex Consumption HOME is missing, or is in the package, which is mounted to be read only.
func TestAProcessHasAHomeThatItCanWriteTo(t *testing.T) {
	t.Parallel()
	writable := func(dir string) bool { return strings.HasPrefix(dir, "/tmp") }
	home := "HOME=" + os.TempDir()
	for name, tt := range map[string]struct{ base, want []string }{
		"none":                       {nil, []string{home}},
		"read only":                  {[]string{"HOME=/home", "PATH=/bin"}, []string{"PATH=/bin", home}},
		"good":                       {[]string{"HOME=/tmp/x"}, []string{"HOME=/tmp/x"}},
		"caches below it":            {[]string{"HOME=/home", "XDG_CACHE_HOME=/home/.cache", "UV_CACHE_DIR=/home/uv", "npm_config_cache=/home/npm"}, []string{home}},
		"caches elsewhere":           {[]string{"HOME=/home", "UV_TOOL_DIR=/tmp/tools"}, []string{"UV_TOOL_DIR=/tmp/tools", home}},
		"a good home, and bad cache": {[]string{"HOME=/tmp/x", "PIP_CACHE_DIR=/opt"}, []string{"HOME=/tmp/x"}},
	} {
		if diff := cmp.Diff(tt.want, settle(tt.base, writable)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatCanBeMadeCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		dir:                          true,
		filepath.Join(dir, "a", "b"): true,
		file:                         false,
		filepath.Join(file, "a"):     false,
		"relative":                   false,
		"":                           false,
	} {
		if got := writableDir(path); got != want {
			t.Errorf("writableDir(%q) = %v, want %v", path, got, want)
		}
	}
}
