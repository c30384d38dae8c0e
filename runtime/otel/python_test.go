//go:build e2e

package otel

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// python is a Python with the SDK of MCP, which makes spans, and of OpenTelemetry, which exports them.
var python = []string{
	"run", "--quiet", "--no-project", "--with", "mcp==2.3.0", "--with", "opentelemetry-sdk==1.45.2", "--with", "opentelemetry-exporter-otlp-proto-http==1.45.2", "python",
}

// A client and a server of the official Python SDK, both with its own instrumentation, and the handler between them,
// make one trace: each span is the child of the one before it.
func TestOneTraceOverClientHandlerAndServerInPython(t *testing.T) {
	rc := receive(t)
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	scripts, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	uv := e2etest.Tool("python", "bin", "uv")
	environ := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "UV_PYTHON_DOWNLOADS": "never", "PYTHONDONTWRITEBYTECODE": "1"}
	observer, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{{
		Name: "traced", Command: uv, Args: append(append([]string{}, python...), filepath.Join(scripts, "server.py")), Env: environ,
		StartTimeout: 3 * time.Minute,
	}}}, &mcpfunc.Options{Observer: observer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	defer srv.Close()
	traceIDs := map[string]string{}
	for _, mode := range []string{"legacy", "2026-07-28"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		cmd := exec.CommandContext(ctx, uv, append(append([]string{}, python...), filepath.Join(scripts, "client.py"), srv.URL+"/api/mcp/traced", mode)...)
		cmd.Env = append(os.Environ(), "UV_PYTHON_DOWNLOADS=never", "PYTHONDONTWRITEBYTECODE=1")
		out, err := cmd.CombinedOutput()
		cancel()
		id, said, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
		if err != nil || !ok || said != "hello Ada" {
			t.Fatalf("%s: %v\n%s", mode, err, out)
		}
		traceIDs[mode] = id
	}
	app.Close()
	for mode, id := range traceIDs {
		chain(t, mode, rc.trace(id))
	}
}

// trace returns the spans of one trace.
func (rc *receiver) trace(id string) (spans []*traces.Span) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	for _, s := range rc.spans {
		if hex.EncodeToString(s.TraceId) == id {
			spans = append(spans, s)
		}
	}
	return spans
}

// chain sees that the spans are one below the other, from the client's question to the server's tool.
func chain(t *testing.T, mode string, spans []*traces.Span) {
	t.Helper()
	below := map[string]*traces.Span{}
	for _, s := range spans {
		if s.Name == "the user's question" || strings.HasPrefix(s.Name, "tools/call") || strings.Contains(s.Name, "greet") {
			below[hex.EncodeToString(s.ParentSpanId)] = s
		}
	}
	var path []string
	for at := below[""]; at != nil; at = below[hex.EncodeToString(at.SpanId)] {
		who := "python"
		if valueOf(at.Attributes, "mcpfunc.server") != "" {
			who = "handler"
		}
		path = append(path, who+": "+at.Name+" "+at.Kind.String())
	}
	t.Logf("%s: %s", mode, strings.Join(path, " > "))
	handler := -1
	for i, step := range path {
		if strings.HasPrefix(step, "handler: tools/call greet SPAN_KIND_SERVER") {
			handler = i
		}
	}
	if handler < 2 || handler != len(path)-2 || !strings.HasPrefix(path[len(path)-1], "python: tools/call greet SPAN_KIND_SERVER") {
		t.Errorf("%s: the spans of the trace are %q", mode, path)
	}
}
