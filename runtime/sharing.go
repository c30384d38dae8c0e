package mcpfunc

import (
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/shared"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// sharing says how far sessions get. Keys that cannot be read stop the app: with random ones instead,
// every request that reaches another instance would find its session gone. What instances share, if
// they do, is to be closed after the table, by done.
func (a *App) sharing() (t session.Sharing, done func(), err error) {
	done = func() {}
	if strings.TrimSpace(a.cfg.sessionKeys) == "" {
		a.log.Info("sessions live on this instance only", "hint", "set "+sessionKeySetting+" to let every instance serve them")
		if a.cfg.redisURL != "" {
			a.log.Warn(redisSetting + " means nothing without " + sessionKeySetting)
		}
		return session.Sharing{Keys: ticket.RandomKeys()}, done, nil
	}
	keys, err := ticket.ParseKeys(a.cfg.sessionKeys)
	if err != nil {
		return t, nil, fmt.Errorf("%s: %w", sessionKeySetting, err)
	}
	t = session.Sharing{Keys: keys, Instances: true}
	if a.cfg.redisURL == "" {
		return t, done, nil
	}
	store, err := shared.Open(a.cfg.redisURL, a.log)
	if err != nil {
		return t, nil, fmt.Errorf("%s: %w", redisSetting, err)
	}
	t.Ended, t.Events = store, eventlog.New(store, keys, a.log)
	return t, func() {
		t.Events.Close()
		store.Close()
	}, nil
}
