package mcpfunc

import (
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/revocation"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// travel says how far sessions get. Keys that cannot be read stop the app: with random ones instead,
// every request that reaches another instance would find its session gone. The store, which is nil if
// there is none, is to be closed after the table.
func (a *App) travel() (t session.Travel, store *revocation.Store, err error) {
	if strings.TrimSpace(a.cfg.SessionKeys) == "" {
		a.log.Info("sessions live on this instance only", "hint", "set "+sessionKeySetting+" to let every instance serve them")
		if a.cfg.RedisURL != "" {
			a.log.Warn(redisSetting + " means nothing without " + sessionKeySetting)
		}
		return session.Travel{Keys: ticket.RandomKeys()}, nil, nil
	}
	keys, err := ticket.ParseKeys(a.cfg.SessionKeys)
	if err != nil {
		return t, nil, fmt.Errorf("%s: %w", sessionKeySetting, err)
	}
	t = session.Travel{Keys: keys, Shared: true}
	if a.cfg.RedisURL == "" {
		return t, nil, nil
	}
	if store, err = revocation.Open(a.cfg.RedisURL, a.log); err != nil {
		return t, nil, fmt.Errorf("%s: %w", redisSetting, err)
	}
	t.Ended = store // and not a nil *Store in it
	return t, store, nil
}
