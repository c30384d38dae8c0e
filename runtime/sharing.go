package mcpfunc

import (
	"fmt"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/backplane"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// sharing says how far sessions get. Keys that cannot be read stop the app: with random ones instead,
// every request that reaches another instance would find its session gone. A reference to Key Vault that
// is not resolved is not a key, though, and mostly one of an app's first minutes: sessions stay on their
// instance until the platform has resolved it and restarts the app, as it does when any app setting is written: a
// process that runs never sees another environment. What instances share, if
// they do, is to be closed after the table, by done.
func (a *App) sharing() (t session.Sharing, done func(), err error) {
	done = func() {}
	a.cfg.sessionKeys = a.resolved(sessionKeySetting, a.cfg.sessionKeys, "sessions live on this instance only")
	a.cfg.redisURL = a.resolved(redisSetting, a.cfg.redisURL, "instances do not share sessions")
	if strings.TrimSpace(a.cfg.sessionKeys) == "" {
		a.log.Info("sessions live on this instance only", "hint", "set "+sessionKeySetting+" to let every instance serve them")
		if a.cfg.redisURL != "" {
			a.log.Warn(redisSetting + " has no effect without " + sessionKeySetting)
		}
		return session.Sharing{Keys: ticket.RandomKeys()}, done, nil
	}
	keys, err := ticket.ParseKeys(a.cfg.sessionKeys)
	if err != nil {
		return session.Sharing{Keys: ticket.RandomKeys()}, done, fmt.Errorf("%s: %w", sessionKeySetting, err)
	}
	t = session.Sharing{Keys: keys, Instances: true}
	if a.cfg.redisURL == "" {
		return t, done, nil
	}
	store, err := backplane.Open(a.cfg.redisURL, a.log, a.appIdentity())
	if err != nil {
		return session.Sharing{Keys: ticket.RandomKeys()}, done, fmt.Errorf("%s: %w", redisSetting, err)
	}
	a.instance = backplane.NewInstance(store, keys, a.log)
	t.Ended, t.Events, t.Owners = store, eventlog.New(store, keys, a.log), a.instance
	return t, func() {
		a.instance.Close()
		t.Events.Close()
		store.Close()
	}, nil
}

// resolved is the value of an app setting, or nothing where that is a reference to Key Vault that the
// platform has not resolved: then the log says so, and what follows from it.
func (a *App) resolved(setting, value, without string) string {
	if !config.Unresolved(strings.TrimSpace(value)) {
		return value
	}
	a.log.Error(without+": an app setting is a Key Vault reference that is not resolved", "setting", setting, "hint", config.UnresolvedHint)
	return ""
}
