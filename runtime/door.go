package mcpfunc

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// door checks which page a request comes from and which host it means, and says to allowed pages
// what a browser asks before it lets them call. It has answered when it reports false.
//
// MCP demands the check of Origin (2025-11-25, transports, "Security Warning"): without it, a page
// in the browser of somebody who can reach the app could use it in their name.
func (a *App) door(w http.ResponseWriter, r *http.Request) bool {
	if !a.hostAllowed(r.Host) || !a.hostAllowed(r.Header.Get("X-Forwarded-Host")) {
		forbid(w, "host_not_allowed", "The host of this request is not allowed")
		return false
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		if r.Method == http.MethodOptions {
			w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return false
		}
		return true
	}
	if len(origins) > 1 || !a.originAllowed(origins[0]) {
		forbid(w, "origin_not_allowed", "The origin of this request is not allowed")
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return true
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	allowed := "Authorization, Content-Type, Accept, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, x-functions-key"
	for _, s := range a.servers {
		for _, name := range s.own.Headers() {
			allowed += ", " + name
		}
	}
	for name := range strings.SplitSeq(strings.Join(r.Header.Values("Access-Control-Request-Headers"), ","), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); strings.HasPrefix(name, "mcp-param-") {
			allowed += ", " + name // arguments that a tool's schema names
		}
	}
	h.Set("Access-Control-Allow-Headers", allowed)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return false
}

func forbid(w http.ResponseWriter, code, message string) {
	writeJSON(w, http.StatusForbidden, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

// hostAllowed reports whether a request may mean this host. Ports do not matter.
func (a *App) hostAllowed(hostport string) bool {
	if hostport == "" || len(a.cfg.AllowedHosts) == 0 {
		return true
	}
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	bare := func(h string) string { return strings.ToLower(strings.Trim(h, "[]")) }
	// The Functions host connects over loopback, and names it where it does not pass Host on.
	return bare(host) == "127.0.0.1" || slices.ContainsFunc(a.cfg.AllowedHosts, func(allowed string) bool {
		if h, _, err := net.SplitHostPort(allowed); err == nil {
			allowed = h
		}
		return bare(allowed) == bare(host)
	})
}

// originAllowed reports whether pages of origin may call the app: those that the configuration
// names, those of the app itself, and in development those of this machine.
func (a *App) originAllowed(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Path != "" {
		return false
	}
	if slices.ContainsFunc(a.cfg.AllowedOrigins, func(allowed string) bool {
		return allowed == "*" || strings.EqualFold(strings.TrimSuffix(allowed, "/"), origin)
	}) {
		return true
	}
	if a.cfg.PublicURL != "" && strings.EqualFold(strings.TrimSuffix(a.cfg.PublicURL, "/"), origin) {
		return true
	}
	return a.cfg.development && loopback(u.Host)
}
