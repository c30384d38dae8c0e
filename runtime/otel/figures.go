package otel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// A figure is a number of Stats.
type figure struct {
	name, unit, help string
	counts           bool // it only grows
	of               func(mcpfunc.Stats) int64
}

var figures = []figure{
	{"mcpfunc.processes", "{process}", "Server processes that are running.", false, func(s mcpfunc.Stats) int64 { return int64(s.Processes) }},
	{"mcpfunc.sessions.hibernated", "{session}", "Sessions that hibernate, without a process.", false, func(s mcpfunc.Stats) int64 { return int64(s.Hibernated) }},
	{"mcpfunc.starts.waiting", "{start}", "Starts of processes that wait for others.", false, func(s mcpfunc.Stats) int64 { return int64(s.Waiting) }},
	{"mcpfunc.processes.memory", "By", "Memory that server processes use.", false, func(s mcpfunc.Stats) int64 { return s.Memory }},
	{"mcpfunc.sessions.opened", "{session}", "Sessions opened.", true, func(s mcpfunc.Stats) int64 { return s.Opened }},
	{"mcpfunc.sessions.ended", "{session}", "Sessions whose process is gone.", true, func(s mcpfunc.Stats) int64 { return s.Ended }},
	{"mcpfunc.sessions.resurrected", "{session}", "Sessions that a new process took over.", true, func(s mcpfunc.Stats) int64 { return s.Resurrected }},
	{"mcpfunc.sessions.evicted", "{session}", "Sessions ended to make room.", true, func(s mcpfunc.Stats) int64 { return s.Evicted }},
	{"mcpfunc.sessions.refused", "{session}", "Sessions refused because there was no room.", true, func(s mcpfunc.Stats) int64 { return s.Refused }},
	{"mcpfunc.restarts", "{restart}", "Processes restarted within their session.", true, func(s mcpfunc.Stats) int64 { return s.Restarts }},
}

// Watch exports the figures of an App whenever metrics are collected.
func (o *Observer) Watch(stats func() mcpfunc.Stats) {
	instruments := make([]metric.Observable, 0, len(figures)+1)
	var observed []metric.Int64Observable
	for _, f := range figures {
		var i metric.Int64Observable
		var err error
		if f.counts {
			i, err = o.meter.Int64ObservableCounter(f.name, metric.WithUnit(f.unit), metric.WithDescription(f.help))
		} else {
			i, err = o.meter.Int64ObservableGauge(f.name, metric.WithUnit(f.unit), metric.WithDescription(f.help))
		}
		if err != nil {
			otel.Handle(err)
			return
		}
		instruments, observed = append(instruments, i), append(observed, i)
	}
	sessions, err := o.meter.Int64ObservableGauge("mcpfunc.sessions", metric.WithUnit("{session}"), metric.WithDescription("Sessions that clients can reach."))
	if err != nil {
		otel.Handle(err)
		return
	}
	_, err = o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := stats()
		for i, f := range figures {
			to.ObserveInt64(observed[i], f.of(s))
		}
		for server, n := range s.Servers {
			to.ObserveInt64(sessions, int64(n), metric.WithAttributes(attribute.String("mcpfunc.server", server)))
		}
		return nil
	}, append(instruments, sessions)...)
	if err != nil {
		otel.Handle(err)
	}
}
