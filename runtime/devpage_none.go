//go:build !mcpfunc_devpage

package mcpfunc

import (
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// openPage returns nothing: this build has no page.
func (a *App) openPage(*secret.Redactor) (devPage, watch.Sink) {
	a.log.Warn("MCPFUNC_DEV is set, but this handler was built without the development page", "hint", "build it with -tags mcpfunc_devpage")
	return nil, nil
}

// learner returns nothing: this build does not report what a sandbox refuses.
func (a *App) learner(Server) func(process.Refusal) { return nil }
