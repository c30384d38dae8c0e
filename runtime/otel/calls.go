package otel

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// Begin starts the span of a call, in the trace of its client.
func (o *Observer) Begin(c *mcpfunc.Call) {
	carrier := propagation.MapCarrier{"traceparent": c.TraceParent, "tracestate": c.TraceState}
	ctx := o.propagator.Extract(context.Background(), carrier)
	ctx, span := o.tracer.Start(ctx, name(c), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.Start))
	if span.IsRecording() {
		era := "legacy"
		if c.Modern {
			era = "modern"
		}
		span.SetAttributes(
			attribute.String("mcp.method.name", c.Method), attribute.String("jsonrpc.request.id", unquoted(c.ID)),
			attribute.String("network.transport", "tcp"), attribute.String("network.protocol.name", "http"),
			attribute.String("mcpfunc.server", c.Server), attribute.String("mcpfunc.era", era), attribute.Int("mcpfunc.request.size", c.In),
		)
		switch c.Method {
		case "tools/call":
			span.SetAttributes(attribute.String("gen_ai.operation.name", "execute_tool"), attribute.String("gen_ai.tool.name", short(c.Target)))
		case "prompts/get":
			span.SetAttributes(attribute.String("gen_ai.prompt.name", short(c.Target)))
		}
		if c.Request != "" {
			span.SetAttributes(attribute.String("faas.invocation_id", c.Request))
		}
	}
	out := propagation.MapCarrier{}
	o.propagator.Inject(ctx, out)
	c.TraceParent, c.TraceState, c.State = out["traceparent"], out["tracestate"], ctx
}

// End ends the span, and counts the call.
func (o *Observer) End(c *mcpfunc.Call) {
	ctx, ok := c.State.(context.Context)
	if !ok {
		return
	}
	attrs := []attribute.KeyValue{attribute.String("mcp.method.name", known(c.Method)), attribute.String("mcpfunc.server", c.Server), attribute.String("mcpfunc.outcome", c.Outcome)}
	kind := errorType(c)
	if kind != "" {
		attrs = append(attrs, attribute.String("error.type", kind))
	}
	o.duration.Record(ctx, c.Took.Seconds(), metric.WithAttributes(attrs...))
	span := trace.SpanFromContext(ctx)
	if span.IsRecording() {
		span.SetAttributes(attribute.String("mcpfunc.outcome", c.Outcome), attribute.Int("mcpfunc.response.size", c.Out))
		for name, value := range map[string]string{
			"mcpfunc.session": c.Session, "mcpfunc.client.name": short(c.ClientName), "mcpfunc.client.version": short(c.ClientVersion),
			"mcpfunc.reason": c.Reason, "error.type": kind,
		} {
			if value != "" {
				span.SetAttributes(attribute.String(name, value))
			}
		}
		if c.Code != 0 {
			span.SetAttributes(attribute.String("rpc.response.status_code", strconv.Itoa(c.Code)))
		}
		if kind != "" {
			span.SetStatus(codes.Error, c.Reason)
		}
	}
	span.End(trace.WithTimestamp(c.Start.Add(c.Took)))
}

// Started counts a start. Its exemplar leads to the request that caused it.
func (o *Observer) Started(server string, took time.Duration, traceParent string) {
	ctx := o.propagator.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceParent})
	o.starts.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("mcpfunc.server", server)))
}

// errorType is the error.type of the semantic conventions; empty without an error, or if the client gave up.
func errorType(c *mcpfunc.Call) string {
	switch c.Outcome {
	case "ok", "cancelled", "passed":
		return ""
	case "error":
		return strconv.Itoa(c.Code)
	}
	return c.Outcome
}

// name is the name of a span. There are few names, because spans are grouped by them.
func name(c *mcpfunc.Call) string {
	if c.Target != "" && (c.Method == "tools/call" || c.Method == "prompts/get") {
		return c.Method + " " + short(c.Target)
	}
	return known(c.Method)
}

// known is a method that MCP has, or "other": a client may call anything, and each would be a series of its own.
func known(method string) string {
	switch method {
	case "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list",
		"resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get", "completion/complete", "logging/setLevel",
		"server/discover", "subscriptions/listen", "tasks/get", "tasks/update", "tasks/cancel", "tasks/list", "tasks/result":
		return method
	}
	return "other"
}

// short bounds a value that a client chose.
func short(text string) string {
	const most = 64
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(text, "")
}

func unquoted(id string) string { return short(strings.Trim(id, `"`)) }
