// Package otel tells OpenTelemetry of the calls to an App: a span per call in the trace of its client, and metrics
// whose exemplars lead to spans. What it exports goes over OTLP by HTTP.
//
// An app has it by
//
//	observer, err := otel.New(ctx)
//	app, err := mcpfunc.New(cfg, &mcpfunc.Options{Observer: observer})
//
// which is what `mcpfunc init --otel` writes. It is configured by the variables of the OpenTelemetry specification:
// OTEL_EXPORTER_OTLP_ENDPOINT and its kin say where to, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES from whom,
// OTEL_TRACES_SAMPLER how many, OTEL_METRIC_EXPORT_INTERVAL how often; OTEL_TRACES_EXPORTER=none,
// OTEL_METRICS_EXPORTER=none and OTEL_SDK_DISABLED=true switch off. Without an endpoint nothing is exported, and the trace
// of a client is handed to the server's process as it is.
//
// No argument, result, user or URI is in a span or a metric.
package otel
