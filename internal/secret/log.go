package secret

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// Handler returns a handler that hands on to h what r leaves of each record: of its message and of its
// values, whatever they are made of.
func Handler(h slog.Handler, r *Redactor) slog.Handler {
	if r == nil {
		return h
	}
	return &handler{h, func() slog.Handler { return h }, r}
}

// A handler looks for secrets in what a logger always says once that logger says something: most sessions do
// not.
type handler struct {
	base slog.Handler
	next func() slog.Handler // base, with what the logger always says
	r    *Redactor
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.base.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.r.Redact(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.next().Handle(ctx, clean)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.base, sync.OnceValue(func() slog.Handler { return h.next().WithAttrs(h.attrs(attrs)) }), h.r}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.base, sync.OnceValue(func() slog.Handler { return h.next().WithGroup(name) }), h.r}
}

func (h *handler) attrs(attrs []slog.Attr) []slog.Attr {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return clean
}

func (h *handler) attr(a slog.Attr) slog.Attr {
	switch value := a.Value.Resolve(); value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.r.Redact(value.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(h.attrs(value.Group())...)}
	case slog.KindAny:
		switch any := value.Any().(type) {
		case error:
			return slog.String(a.Key, h.r.Redact(any.Error()))
		case fmt.Stringer:
			return slog.String(a.Key, h.r.Redact(any.String()))
		case []string:
			clean := make([]string, len(any))
			for i, text := range any {
				clean[i] = h.r.Redact(text)
			}
			return slog.Any(a.Key, clean)
		}
	}
	return a
}
