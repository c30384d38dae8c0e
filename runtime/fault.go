package mcpfunc

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// faultRetry is after how many seconds it is worth asking again for what cannot be served: what is wrong
// is fixed by a new app setting or a deployment, either of which restarts the app.
const faultRetry = 30

// unserved notes why nothing can be served, if err says so, where that does not end the app. Elsewhere it
// returns err.
func (a *App) unserved(err error) error {
	if err == nil || !a.cfg.hosted {
		return err
	}
	if a.broken == nil {
		a.broken = err
		a.logFault("configuration cannot be served: every request gets 503", err)
	}
	return nil
}

// unservedServer is unserved of one server.
func (a *App) unservedServer(spec Server, err error) error {
	if err == nil || !a.cfg.hosted {
		return err
	}
	a.faults[strings.ToLower(spec.Name)] = err
	a.logFault("server cannot be served: its requests get 503", err)
	return nil
}

func (a *App) logFault(text string, err error) {
	attrs := []any{"error", err}
	if e, ok := errors.AsType[*ConfigError](err); ok {
		attrs = []any{"error", e.Err, "file", e.File, "line", e.Line, "server", e.Server, "key", e.Key, "hint", e.Hint}
	}
	a.log.Error(text, attrs...)
}

// reason is why the server of this name, in lower case, is not served; "" names the default one. It is nil
// if it is served, or if it does not exist.
func (a *App) reason(name string) error {
	if a.broken != nil {
		return a.broken
	}
	if name == "" {
		name = a.fallback()
	}
	return a.faults[name]
}

// faultTexts are the faults by server, as the file spells its name.
func (a *App) faultTexts() map[string]string {
	texts := map[string]string{}
	for _, s := range a.cfg.Servers {
		if err := a.faults[strings.ToLower(s.Name)]; err != nil {
			texts[s.Name] = err.Error()
		}
	}
	return texts
}

// answerFault answers for what cannot be served. Everyone who reaches the app may read the reason, which
// shows no value of a variable.
func answerFault(w http.ResponseWriter, reason error) {
	w.Header().Set("Retry-After", strconv.Itoa(faultRetry))
	refuse(w, http.StatusServiceUnavailable, "invalid_configuration", reason.Error())
}

// withoutValues is an error about the values of variables, without the values, so that any caller may see it.
func (a *App) withoutValues(spec Server, err error) error {
	e, ok := errors.AsType[*ConfigError](err)
	if !ok || !a.cfg.hosted {
		return err
	}
	for _, key := range []string{e.Key, "cwd"} { // the other name of working_dir
		if key == "cwd" && e.Key != "working_dir" {
			continue
		}
		plain := &config.Error{Server: spec.Name, Key: key, Err: e.Err}
		if safe := config.Withhold(spec.variables, plain); safe != plain {
			return typed(safe)
		}
	}
	return err
}
