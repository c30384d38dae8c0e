package otel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

const scope = "github.com/mcpfunc/mcpfunc/runtime/otel"

// closeTime is how long the last spans and figures get to be exported.
const closeTime = 5 * time.Second

// An Observer exports the calls that it is told about. It implements mcpfunc.Observer.
type Observer struct {
	tracer     trace.Tracer
	meter      metric.Meter
	propagator propagation.TraceContext
	duration   metric.Float64Histogram
	starts     metric.Float64Histogram
	shutdown   []func(context.Context) error
}

var _ mcpfunc.Observer = (*Observer)(nil)

// New returns an Observer for Options.Observer; App.Close closes it. New does not connect: an endpoint that does not
// answer loses spans and metrics, but does not keep an app from starting. New fails if a variable is invalid.
func New(ctx context.Context) (*Observer, error) {
	o := &Observer{tracer: nooptrace.NewTracerProvider().Tracer(scope), meter: noopmetric.NewMeterProvider().Meter(scope)}
	if !strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		if err := o.export(ctx); err != nil {
			o.Close()
			return nil, fmt.Errorf("OpenTelemetry: %w", err)
		}
	}
	var err [2]error
	o.duration, err[0] = o.meter.Float64Histogram("mcp.server.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the arrival of a request to its answer."), metric.WithExplicitBucketBoundaries(bounds...))
	o.starts, err[1] = o.meter.Float64Histogram("mcpfunc.process.start.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the start of a server's process to its first message."), metric.WithExplicitBucketBoundaries(bounds...))
	return o, errors.Join(err[:]...)
}

// bounds are those that the semantic conventions of MCP advise.
var bounds = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// export makes the providers of traces and metrics.
func (o *Observer) export(ctx context.Context) error {
	traces, metrics := wanted("TRACES"), wanted("METRICS")
	if !traces && !metrics {
		return nil
	}
	otel.SetErrorHandler(&complaints{log: slog.New(slog.NewJSONHandler(os.Stderr, nil))})
	from, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return err
	}
	if from, err = resource.Merge(resource.Default(), from); err != nil {
		return err
	}
	if traces {
		exporter, err := otlptracehttp.New(ctx)
		if err != nil {
			return err
		}
		p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(from)) // with the sampler of OTEL_TRACES_SAMPLER
		o.tracer, o.shutdown = p.Tracer(scope), append(o.shutdown, p.Shutdown)
	}
	if metrics {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return err
		}
		p := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)), sdkmetric.WithResource(from))
		o.meter, o.shutdown = p.Meter(scope), append(o.shutdown, p.Shutdown)
	}
	return nil
}

// wanted reports whether a signal is exported: it has an endpoint, and is not switched off.
func wanted(signal string) bool {
	exporter := os.Getenv("OTEL_" + signal + "_EXPORTER")
	if exporter != "" && !slices.Contains(strings.Split(exporter, ","), "otlp") {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// Close exports the remaining spans and metrics, for at most five seconds.
func (o *Observer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, shutdown := range o.shutdown {
		all.Go(func() {
			if err := shutdown(ctx); err != nil {
				otel.Handle(err)
			}
		})
	}
	all.Wait()
}

// complaints logs what goes wrong with exports, once a minute at most: an endpoint that is away is so for every batch.
type complaints struct {
	log  *slog.Logger
	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	now := time.Now()
	quiet := now.Sub(c.last) < time.Minute
	if !quiet {
		c.last = now
	}
	c.mu.Unlock()
	if !quiet {
		c.log.Warn("cannot export telemetry", "error", err.Error())
	}
}
