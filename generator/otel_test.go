package generator

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	mcpfunc "github.com/mcpfunc/mcpfunc"
)

// A project that asks for OpenTelemetry has it, and any other does not contain one byte of it: not in its sources,
// not in what it requires, not in its handler.
func TestOnlyProjectsThatAskHaveOpenTelemetry(t *testing.T) {
	t.Parallel()
	size := map[bool]int{}
	for _, asks := range []bool{false, true} {
		p := withServers("git")
		p.Runtime, p.OTel = mcpfunc.Source(), asks
		made := plan(t, p)
		dir := t.TempDir()
		write(t, made, dir, Init)
		goTool(t, dir, "vet", ".")
		goTool(t, dir, "build", "-ldflags=-s -w", "-o", "handler", ".")
		if out := goTool(t, dir, "mod", "verify"); !strings.Contains(out, "all modules verified") {
			t.Error(out)
		}
		handler, err := os.ReadFile(filepath.Join(dir, "handler"))
		if err != nil {
			t.Fatal(err)
		}
		size[asks] = len(handler)
		carried := slices.ContainsFunc(made.Files, func(f File) bool { return strings.HasPrefix(f.Path, carriedDir+"/"+otelDir) })
		for what, has := range map[string]bool{
			"handler": bytes.Contains(handler, []byte("go.opentelemetry.io")), "sources": carried,
			"go.mod": strings.Contains(file(t, made, "go.mod"), "opentelemetry"), "go.sum": strings.Contains(file(t, made, "go.sum"), "opentelemetry"),
			"main.go": strings.Contains(file(t, made, "main.go"), "otel"), "host.json": strings.Contains(file(t, made, "host.json"), `"telemetryMode": "OpenTelemetry"`),
		} {
			if has != asks {
				t.Errorf("asked for: %v; %s has it: %v", asks, what, has)
			}
		}
		for _, name := range []string{"go.otel.mod", "go.otel.sum"} {
			if made.holds(carriedDir + "/" + name) {
				t.Errorf("%s is carried", name)
			}
		}
		validate(t, schema(t, "host.schema.json"), "host.json", parse(t, file(t, made, "host.json")))
		if lines := strings.Count(file(t, made, "main.go"), "\n"); lines > 50 {
			t.Errorf("main.go has %d lines", lines)
		}
		loaded, err := Load(dir)
		if err != nil || loaded.OTel != asks {
			t.Errorf("loaded: %v (%v), want %v", loaded.OTel, err, asks)
		}
		loaded.Config, loaded.Runtime = p.Config, p.Runtime
		if got := changed(t, plan(t, loaded), dir); len(got) != 0 {
			t.Errorf("generate changes %v", got)
		}
	}
	t.Logf("handler of %d bytes, with OpenTelemetry %d", size[false], size[true])
}
