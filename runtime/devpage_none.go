//go:build !mcpfunc_devpage

package mcpfunc

import (
	"github.com/mcpfunc/mcpfunc/internal/secret"
	"github.com/mcpfunc/mcpfunc/internal/watch"
)

// openPage returns nothing: this build has no page.
func (a *App) openPage(*secret.Redactor) (devPage, watch.Sink) {
	a.log.Warn("MCPFUNC_DEV is set, but this handler was built without the page", "hint", "go build -tags mcpfunc_devpage")
	return nil, nil
}
