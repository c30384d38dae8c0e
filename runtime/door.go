package mcpfunc

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// gate refuses what no path here is for: methods that only proxies know, requests that name a host which is
// not ours, and those that a page of another site makes a browser send. It has answered when it reports false.
func (a *App) gate(w http.ResponseWriter, r *http.Request, path string) bool {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "The method "+r.Method+" is not allowed here")
	case !a.hostsAllowed(r) && !a.probed(path):
		refuse(w, http.StatusForbidden, "host_not_allowed", "The host of this request is not allowed")
	case crossSite(r) && !(path == "/" && byLink(r)):
		refuse(w, http.StatusForbidden, "cross_site_request", "A page of another site made the browser send this request")
	default:
		return true
	}
	return false
}

// probed reports whether the platform asks for path to see whether the app is up, by whatever name it has for
// the instance. On a developer's machine there is no such platform, and any page may make a name of its own lead here.
func (a *App) probed(path string) bool {
	return !a.cfg.development && (path == "/" || path == strings.ToLower(a.prefix)+"/health")
}

// crossSite reports whether a browser says that a page of another site made it send r, without CORS: for an
// image, a script, a frame or a form. What comes with an Origin is judged by that (Fetch Metadata; 2025-11-25,
// transports, "Security Warning"). Clients that are no browsers say nothing.
func crossSite(r *http.Request) bool {
	if len(r.Header.Values("Origin")) > 0 {
		return false
	}
	return slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(site string) bool {
		return site != "same-origin" && site != "none"
	})
}

// byLink reports whether someone followed a link, to a page of its own: neither a frame nor an image.
func byLink(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && (dest == "document" || dest == "")
}

// door checks which page a request comes from, and says to allowed pages what a browser asks before it lets
// them call. It has answered when it reports false.
//
// MCP demands the check of Origin (2025-11-25, transports, "Security Warning"): without it, a page
// in the browser of someone who can reach the app could use it in their name.
func (a *App) door(w http.ResponseWriter, r *http.Request) bool {
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
		refuse(w, http.StatusForbidden, "origin_not_allowed", "The origin of this request is not allowed")
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

// hostsAllowed reports whether all hosts that a request names, here and where a proxy took it, may be meant.
func (a *App) hostsAllowed(r *http.Request) bool {
	if !a.hostAllowed(r.Host) {
		return false
	}
	for _, value := range r.Header.Values("X-Forwarded-Host") {
		for host := range strings.SplitSeq(value, ",") {
			if !a.hostAllowed(strings.TrimSpace(host)) {
				return false
			}
		}
	}
	return true
}

// hostAllowed reports whether a request may mean this host. Ports do not matter.
func (a *App) hostAllowed(hostport string) bool {
	if hostport == "" || len(a.cfg.AllowedHosts) == 0 {
		return true
	}
	host := bareHost(hostport)
	// The Functions host connects over loopback, and names it where it does not pass Host on.
	return host == "127.0.0.1" || slices.ContainsFunc(a.cfg.AllowedHosts, func(allowed string) bool { return bareHost(allowed) == host })
}

// bareHost is a host without its port, in lower case.
func bareHost(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// loopback reports whether hostport names this machine.
func loopback(hostport string) bool {
	host := bareHost(hostport)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
