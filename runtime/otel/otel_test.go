package otel

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// TestMain lets the test binary be the server that the tests start.
func TestMain(m *testing.M) {
	if os.Getenv("OTEL_TEST_SERVER") != "" {
		mcptest.Main()
	}
	os.Exit(m.Run())
}

// A receiver takes what is exported, as a collector does.
type receiver struct {
	mu      sync.Mutex
	spans   []*traces.Span
	service string // of the last resource
	metrics map[string]*metrics.Metric
}

// receive starts a receiver and points the exporters at it.
func receive(t *testing.T) *receiver {
	t.Helper()
	rc := &receiver{metrics: map[string]*metrics.Metric{}}
	srv := httptest.NewServer(rc)
	t.Cleanup(srv.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	t.Setenv("OTEL_SERVICE_NAME", "an-app")
	return rc
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	data, _ := io.ReadAll(body)
	rc.mu.Lock()
	defer rc.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var got collecttrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(data, &got); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rs := range got.ResourceSpans {
			rc.service = valueOf(rs.Resource.Attributes, "service.name")
			for _, ss := range rs.ScopeSpans {
				rc.spans = append(rc.spans, ss.Spans...)
			}
		}
	case "/v1/metrics":
		var got collectmetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &got); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rm := range got.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				for _, m := range sm.Metrics {
					rc.metrics[m.Name] = m
				}
			}
		}
	default:
		http.NotFound(w, r)
	}
}

func valueOf(attrs []*common.KeyValue, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			if v, ok := a.Value.Value.(*common.AnyValue_StringValue); ok {
				return v.StringValue
			}
			return a.Value.String()
		}
	}
	return ""
}

// serve runs an app with one server, posts to it, and closes it, so that everything is exported.
func serve(t *testing.T, posts ...string) (answers []string) {
	t.Helper()
	observer, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	app, err := mcpfunc.New(&mcpfunc.Config{Servers: []mcpfunc.Server{{
		Name: "fake", Command: os.Args[0], Env: map[string]string{"OTEL_TEST_SERVER": "1", "A_TOKEN": secret}, InjectTrace: true,
	}}}, &mcpfunc.Options{Observer: observer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(app)
	session := ""
	for _, body := range posts {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL+"/api/mcp", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Traceparent", client)
		r.Header.Set("Mcp-Session-Id", session)
		if session == "" {
			r.Header.Del("Mcp-Session-Id")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		answers = append(answers, string(data))
		if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
			session = id
		}
	}
	app.Close()
	srv.Close()
	return answers
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	client  = "00-" + traceID + "-b7ad6b7169203331-01"
	secret  = "canary-secret-of-the-server"
)

func initialize() string {
	return `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
}

func call(id int, tool, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{"text":"not in a span"}%s}}`, id, tool, more)
}

func TestOneTraceFromTheClientToTheProcess(t *testing.T) {
	rc := receive(t)
	answers := serve(t, initialize(), call(2, "trace", ""), call(3, "fail", ""), strings.Replace(call(4, secret, ""), "tools/call", "prompts/get", 1),
		call(5, "trace", `,"_meta":{"traceparent":"00-11111111111111111111111111111111-2222222222222222-01"}`))
	if len(rc.spans) != 5 || rc.service != "an-app" {
		t.Fatalf("%d spans of %q", len(rc.spans), rc.service)
	}
	slices.SortFunc(rc.spans, func(a, b *traces.Span) int {
		return strings.Compare(valueOf(a.Attributes, "jsonrpc.request.id"), valueOf(b.Attributes, "jsonrpc.request.id"))
	})
	for i, want := range []struct{ name, parent, outcome string }{
		{"initialize", "b7ad6b7169203331", "ok"}, {"tools/call trace", "b7ad6b7169203331", "ok"}, {"tools/call fail", "b7ad6b7169203331", "tool_error"},
		{"prompts/get [redacted]", "b7ad6b7169203331", "ok"}, {"tools/call trace", "2222222222222222", "ok"},
	} {
		s := rc.spans[i]
		if s.Name != want.name || hex.EncodeToString(s.ParentSpanId) != want.parent || valueOf(s.Attributes, "mcpfunc.outcome") != want.outcome {
			t.Errorf("span %d: %v, want %+v", i, s, want)
		}
		if trace := hex.EncodeToString(s.TraceId); i < 4 && trace != traceID || s.Kind != traces.Span_SPAN_KIND_SERVER {
			t.Errorf("span %d: trace %s, kind %v", i, trace, s.Kind)
		}
		for key, value := range map[string]string{"mcpfunc.server": "fake", "mcpfunc.era": "legacy", "mcpfunc.client.name": "t"} {
			if got := valueOf(s.Attributes, key); got != value {
				t.Errorf("span %d: %s is %q", i, key, got)
			}
		}
		if text := s.String(); strings.Contains(text, "not in a span") || strings.Contains(text, secret) {
			t.Errorf("span %d says what was said: %s", i, text)
		}
	}
	if told := fmt.Sprintf("00-%s-%s-01", traceID, hex.EncodeToString(rc.spans[1].SpanId)); !strings.Contains(answers[1], told) {
		t.Errorf("the process was told %s, want %s", answers[1], told)
	}
	if told := fmt.Sprintf("00-11111111111111111111111111111111-%s-01", hex.EncodeToString(rc.spans[4].SpanId)); !strings.Contains(answers[4], told) {
		t.Errorf("the process was told %s, want %s", answers[4], told)
	}
}

func TestMetricsHaveExemplars(t *testing.T) {
	rc := receive(t)
	serve(t, initialize(), call(2, "echo", ""))
	for _, name := range []string{"mcp.server.operation.duration", "mcpfunc.process.start.duration"} {
		m := rc.metrics[name]
		if m == nil || m.GetHistogram() == nil {
			t.Fatalf("no histogram %s: %v", name, m)
		}
		for _, p := range m.GetHistogram().DataPoints {
			if p.Count != 1 || len(p.Exemplars) != 1 || hex.EncodeToString(p.Exemplars[0].TraceId) != traceID {
				t.Errorf("%s: %v", name, p)
			}
		}
	}
	for _, f := range figures {
		if rc.metrics[f.name] == nil {
			t.Errorf("no metric %s", f.name)
		}
	}
	if n := rc.metrics["mcpfunc.sessions.opened"].GetSum().DataPoints[0].GetAsInt(); n != 1 {
		t.Errorf("%d sessions opened", n)
	}
}

func TestVariablesSwitchExportsOff(t *testing.T) {
	for name, value := range map[string]string{
		"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none",
		"OTEL_TRACES_SAMPLER": "always_off", "OTEL_EXPORTER_OTLP_ENDPOINT": "",
	} {
		t.Run(name, func(t *testing.T) {
			rc := receive(t)
			t.Setenv(name, value)
			answers := serve(t, initialize(), call(2, "trace", ""))
			if spans, want := len(rc.spans), name == "OTEL_METRICS_EXPORTER"; (spans > 0) != want {
				t.Errorf("%d spans", spans)
			}
			if figures, want := len(rc.metrics), name == "OTEL_TRACES_EXPORTER" || name == "OTEL_TRACES_SAMPLER"; (figures > 0) != want {
				t.Errorf("%d metrics", figures)
			}
			if !strings.Contains(answers[1], traceID) {
				t.Errorf("the process is not told of the client's trace: %s", answers[1])
			}
			if off := name == "OTEL_SDK_DISABLED"; off && !strings.Contains(answers[1], client) {
				t.Errorf("the process is told %s, want the client's own span", answers[1])
			}
		})
	}
}

func TestReceiverThatIsAwayKeepsNobodyWaiting(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	answers := serve(t, initialize(), call(2, "echo", ""))
	if !strings.Contains(answers[1], "not in a span") {
		t.Errorf("answer %s", answers[1])
	}
}
