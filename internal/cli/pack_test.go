package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/nugettest"
)

// A handler that was built for another architecture than this machine's says what the app is of; one for this
// may be what dev has built.
func TestPackIsForWhatTheHandlerWasBuiltFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(platform string) {
		t.Helper()
		if got := builtFor(dir); got != platform {
			t.Errorf("built for %q, want %q", got, platform)
		}
	}
	want("")
	put("host.json", `{"customHandler": {"description": {"defaultExecutablePath": "handler"}}}`)
	want("")
	put("handler", "#!/bin/sh")
	want("")
	for _, arch := range []string{"amd64", "arm64"} {
		put("handler", nugettest.Program(arch, ""))
		if arch == runtime.GOARCH {
			want("")
		} else {
			want("linux/" + arch)
		}
	}
}
