package mcpfunc

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

// root answers at "/": at once and small, because the Functions host asks here whether the app is
// up. A browser gets a page.
func (a *App) root(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "mcpfunc: %d MCP servers\n", len(a.servers))
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	page.Execute(w, a.landing())
}

type landing struct {
	Default string
	Servers []landingServer
}

type landingServer struct{ Name, Path, Description string }

func (a *App) landing() landing {
	l := landing{Default: a.fallback().spec.Name}
	for _, s := range a.servers {
		l.Servers = append(l.Servers, landingServer{s.spec.Name, s.path(), s.spec.Description})
	}
	return l
}

var page = template.Must(template.New("landing").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MCP servers</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
dt { margin-top: 1rem; font-weight: 600; }
dd { margin: 0; }
</style>
</head>
<body>
<main>
<h1>MCP servers</h1>
<p>These are endpoints for MCP clients, over streamable HTTP. <code>/api/mcp</code> is {{.Default}}.</p>
<dl>
{{range .Servers}}<dt>{{.Name}}</dt><dd><code>{{.Path}}</code>{{with .Description}}<br>{{.}}{{end}}</dd>
{{end}}</dl>
</main>
</body>
</html>
`))

// health says whether the app can open a session.
func (a *App) health(w http.ResponseWriter, _ *http.Request) {
	stats := a.Stats()
	body := map[string]any{"status": "ok", "sessions": stats.Sessions, "processes": stats.Processes}
	status := http.StatusOK
	if err := a.table.Room(); err != nil {
		body["status"], body["reason"] = "unavailable", err.Error()
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, body)
}

// sessionMetrics gives the figures under the names of the reference adapter's page, and more.
func (a *App) sessionMetrics(w http.ResponseWriter, _ *http.Request) {
	s := a.Stats()
	writeJSON(w, http.StatusOK, map[string]any{
		"active_sessions": s.Sessions, "total_processes": s.Processes, "sessions_opened": s.Opened, "sessions_ended": s.Ended,
		"restarts": s.Restarts, "evictions": s.Evicted, "refused": s.Refused, "servers": s.Servers,
		"resurrected": s.Resurrected, "hibernated": s.Hibernated,
	})
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
	gauge("processes", "Server processes alive.", s.Processes)
	fmt.Fprint(w, "# TYPE mcpfunc_sessions gauge\n# HELP mcpfunc_sessions Sessions that clients can reach.\n")
	names := make([]string, 0, len(a.servers))
	for _, server := range a.servers {
		names = append(names, server.spec.Name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(w, "mcpfunc_sessions{server=%q} %d\n", name, s.Servers[name])
	}
	gauge("sessions_hibernated", "Sessions that sleep, without a process.", s.Hibernated)
	counter("sessions_opened", "Sessions opened.", s.Opened)
	counter("sessions_ended", "Sessions whose process is gone.", s.Ended)
	counter("sessions_resurrected", "Sessions that a process took over from another.", s.Resurrected)
	counter("restarts", "Processes started again within their session.", s.Restarts)
	counter("evictions", "Sessions ended to make room.", s.Evicted)
	counter("refused", "Sessions refused for want of room.", s.Refused)
	fmt.Fprint(w, "# EOF\n")
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
