// Package otel exports the calls to an App to OpenTelemetry: one span per call, in the trace of its client, and metrics
// whose exemplars lead to spans. It exports by OTLP over HTTP.
//
// An app uses it like this, which is what `mcpfunc init --otel` writes:
//
//	observer, err := otel.New(ctx)
//	app, err := mcpfunc.New(cfg, &mcpfunc.Options{Observer: observer})
//
// The environment variables of the OpenTelemetry specification configure it: OTEL_EXPORTER_OTLP_ENDPOINT and related
// ones set the destination, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES the origin, OTEL_TRACES_SAMPLER the share of
// traces, OTEL_METRIC_EXPORT_INTERVAL the interval. OTEL_TRACES_EXPORTER=none, OTEL_METRICS_EXPORTER=none and
// OTEL_SDK_DISABLED=true turn parts off. Without an endpoint nothing is exported, and the server's process gets the
// trace of the client unchanged.
//
// Spans and metrics contain no argument, result, user or URI.
package otel
