package generator

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc"
)

// maxHandler bounds the handler of a default project as it is deployed, in bytes, Redis included: it is
// read from a network disk at every cold start.
const maxHandler = 12_000_000

// pageFunction is in the name of every function of the page of mcpfunc dev. Names are in a program
// even when it is stripped.
const pageFunction = "mcpfunc/internal/devpage."

func TestDeployedHandlerIsThin(t *testing.T) {
	t.Parallel()
	p := withServers("git")
	p.Runtime = mcpfunc.Source()
	dir := t.TempDir()
	write(t, plan(t, p), dir, Init)

	deployed, links := linked(t, dir, "-tags=nethttpomithttp2") // as mcpfunc build has it
	if len(deployed) > maxHandler {
		t.Errorf("the handler has %d bytes, want at most %d", len(deployed), maxHandler)
	}
	t.Logf("%d bytes", len(deployed))
	keepsNoMethods(t, links)
	if bytes.Contains(deployed, []byte(pageFunction)) {
		t.Error("the page of mcpfunc dev is in a handler that is deployed")
	}
	if !bytes.Contains(deployed, []byte("redis/go-redis/v9.")) || !strings.Contains(links, "mcpfunc/runtime.(*App).") {
		t.Error("what must be in a handler is not found in it either: this test looks in the wrong place")
	}

	withPage, links := linked(t, dir, "-tags=nethttpomithttp2,mcpfunc_devpage")
	keepsNoMethods(t, links)
	if !bytes.Contains(withPage, []byte(pageFunction)) {
		t.Error("a handler with the page does not have it")
	}
}

// keepsNoMethods checks that nothing looks methods up by names that are not constant: code that does, and
// text/template does, makes the linker keep every exported method of every type.
func keepsNoMethods(t *testing.T, links string) {
	t.Helper()
	for line := range strings.Lines(links) {
		if from, _, _ := strings.Cut(line, " -> "); strings.HasSuffix(from, " <ReflectMethod>") {
			t.Errorf("%s keeps every exported method alive", from)
			return
		}
	}
}

// linked builds the project as mcpfunc build does, and returns the handler and what the linker found to
// need what.
func linked(t *testing.T, dir string, flags ...string) (handler []byte, links string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "handler")
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid= -dumpdep", "-o", path}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOFLAGS=-mod=readonly",
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%.2000s", err, out)
	}
	if handler, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return handler, string(out)
}
