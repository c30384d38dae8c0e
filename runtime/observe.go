package mcpfunc

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// A devPage is the page of mcpfunc dev. Only builds with the tag mcpfunc_devpage have one: what is
// deployed has no page to attack.
type devPage interface {
	http.Handler
	Takes(*http.Request) bool // whether a request for "/" is one for the page
}

// observe ensures that what sessions say is kept for the page of mcpfunc dev, or logged, if
// either is asked for. Else nothing of it exists.
func (a *App) observe(secrets *secret.Redactor) {
	var sink watch.Sink
	if a.cfg.devKey != "" {
		a.page, sink = a.openPage(secrets)
	}
	if sink == nil && !a.cfg.logMessages {
		return
	}
	o := watch.Options{Secrets: secrets, Sink: sink}
	if a.cfg.logMessages {
		o.Wire = slog.New(everything{a.log.Handler()})
	}
	a.watch = watch.New(o)
}

// everything is a handler that leaves no record out for its level.
type everything struct{ slog.Handler }

func (everything) Enabled(context.Context, slog.Level) bool { return true }

func (e everything) WithAttrs(attrs []slog.Attr) slog.Handler {
	return everything{e.Handler.WithAttrs(attrs)}
}

func (e everything) WithGroup(name string) slog.Handler { return everything{e.Handler.WithGroup(name)} }

// minDevKey is how many characters MCPFUNC_DEV must have to count: it opens the page to anyone who
// knows it, and a word that someone set by hand would be guessed.
const minDevKey = 20
