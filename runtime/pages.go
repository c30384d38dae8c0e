package mcpfunc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// health says whether the app can open a session, and no more: no key guards the page. How many there are, and
// which servers cannot be served, is for the page of figures.
func (a *App) health(w http.ResponseWriter, _ *http.Request) {
	body := map[string]any{"status": "ok"}
	status := http.StatusOK
	if n := len(a.faultTexts()); n > 0 {
		body["status"], body["reason"] = "degraded", fmt.Sprintf("%d of %d servers cannot be served", n, len(a.cfg.Servers))
	}
	err := a.reason("")
	if names := a.names(); len(names) > 0 {
		err = a.admission.Room(names)
	}
	if err != nil {
		body["status"], body["reason"] = "unavailable", err.Error()
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, body)
}

// names are those of the servers that are served, sorted.
func (a *App) names() (names []string) {
	for _, server := range a.servers {
		names = append(names, server.spec.Name)
	}
	slices.Sort(names)
	return names
}

// sessionMetrics gives the figures under the names of the reference adapter's page, and more.
func (a *App) sessionMetrics(w http.ResponseWriter, _ *http.Request) {
	s := a.Stats()
	body := map[string]any{
		"active_sessions": s.Sessions, "total_processes": s.Processes, "sessions_opened": s.Opened, "sessions_ended": s.Ended,
		"restarts": s.Restarts, "evictions": s.Evicted, "refused": s.Refused, "servers": s.Servers,
		"resurrected": s.Resurrected, "hibernated": s.Hibernated, "without_process": s.Idle, "process_memory_bytes": s.Memory,
	}
	if len(a.faults) > 0 {
		body["faults"] = a.faultTexts()
	}
	if a.instance != nil {
		body["owned"], body["forwarded"], body["answered_for_others"] = s.Owned, s.Forwarded, s.Answered
	}
	drifted := map[string][]string{}
	for _, server := range a.servers {
		if names := server.policy.Drifted(); names != nil {
			drifted[server.spec.Name] = names
		}
	}
	if len(drifted) > 0 {
		body["drifted_tools"] = drifted
	}
	if a.cfg.hosting != nil {
		body["app"] = a.aboutHosting()
	}
	writeJSON(w, http.StatusOK, body)
}

// metrics gives the figures as OpenMetrics text (version 1.0.0).
func (a *App) metrics(w http.ResponseWriter, _ *http.Request) {
	s := a.Stats()
	w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	gauge := func(name, help string, value any) {
		fmt.Fprintf(w, "# TYPE mcpfunc_%s gauge\n# HELP mcpfunc_%s %s\nmcpfunc_%s %v\n", name, name, help, name, value)
	}
	counter := func(name, help string, value int64) {
		fmt.Fprintf(w, "# TYPE mcpfunc_%s counter\n# HELP mcpfunc_%s %s\nmcpfunc_%s_total %d\n", name, name, help, name, value)
	}
	gauge("processes", "Server processes that are running.", s.Processes)
	gauge("processes_memory_bytes", "Memory of the processes of sessions and pools; shared pages count once.", s.Memory)
	fmt.Fprint(w, "# TYPE mcpfunc_sessions gauge\n# HELP mcpfunc_sessions Sessions that clients can reach.\n")
	names := a.names()
	for _, name := range names {
		fmt.Fprintf(w, "mcpfunc_sessions{server=%q} %d\n", name, s.Servers[name])
	}
	gauge("sessions_without_process", "Sessions that have not needed a process yet.", s.Idle)
	fmt.Fprint(w, "# TYPE mcpfunc_tools_drifted gauge\n# HELP mcpfunc_tools_drifted Tools that differ from what was packed.\n")
	for _, name := range names {
		if s := a.byName[strings.ToLower(name)]; s.spec.pins != nil && s.spec.access.Pin != config.PinOff {
			fmt.Fprintf(w, "mcpfunc_tools_drifted{server=%q} %d\n", name, len(s.policy.Drifted()))
		}
	}
	gauge("sessions_hibernated", "Sessions that hibernate, without a process.", s.Hibernated)
	if a.instance != nil {
		gauge("sessions_owned", "Sessions whose requests other instances forward to this one.", s.Owned)
		counter("requests_forwarded", "Requests forwarded to other instances.", s.Forwarded)
		counter("requests_answered_for_others", "Requests answered for other instances.", s.Answered)
	}
	counter("sessions_opened", "Sessions opened.", s.Opened)
	counter("sessions_ended", "Sessions whose process is gone.", s.Ended)
	counter("sessions_resurrected", "Sessions that a new process took over.", s.Resurrected)
	counter("restarts", "Processes restarted within their session.", s.Restarts)
	counter("evictions", "Sessions ended to make room.", s.Evicted)
	counter("refused", "Sessions refused because there was no room.", s.Refused)
	fmt.Fprint(w, "# EOF\n")
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// refuse answers with an error in the form of the reference adapter.
func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}
