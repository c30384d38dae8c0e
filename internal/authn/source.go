package authn

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Source says where r came from, as far as that can be told: the peer of the connection, or, where that is a proxy
// on this machine, such as the Functions host, the client that it or App Service names. Anyone who reaches this
// machine directly can name any. So it is good for sharing fairly, and not for trust; it is not to be logged.
func Source(r *http.Request) string {
	if r.RemoteAddr == "" {
		return ""
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return host
	}
	if client := r.Header.Get("Client-Ip"); client != "" && len(client) <= maxSource { // of App Service's front end, with a port
		if h, _, err := net.SplitHostPort(client); err == nil {
			return h
		}
		return client
	}
	if values := r.Header.Values("X-Forwarded-For"); len(values) > 0 {
		last := values[len(values)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]) // which the proxy itself has added
		if last != "" && len(last) <= maxSource {
			return last
		}
	}
	return host
}

// maxSource is the longest address: IPv6 with a zone and a port.
const maxSource = 64
