package mcpfunc

import (
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// travel says how far sessions get. Keys that cannot be read stop the app: with random ones instead,
// every request that reaches another instance would find its session gone.
func (a *App) travel() (session.Travel, error) {
	if strings.TrimSpace(a.cfg.SessionKeys) == "" {
		return session.Travel{Keys: ticket.RandomKeys()}, nil
	}
	keys, err := ticket.ParseKeys(a.cfg.SessionKeys)
	if err != nil {
		return session.Travel{}, fmt.Errorf("%s: %w", sessionKeySetting, err)
	}
	return session.Travel{Keys: keys, Shared: true}, nil
}
