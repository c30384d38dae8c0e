package hostemu

import (
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Limits of the host's server (Kestrel's defaults).
const (
	maxRequestLine = 8192  // bytes, with its end
	maxHeaderBytes = 32770 // all lines with their ends, the empty one included
	maxHeaders     = 100
)

// refusal returns the status that the host's server refuses a request with before anybody else sees
// it, or zero.
func refusal(r *http.Request) int {
	switch {
	case len(r.Method)+len(r.RequestURI)+len(" ")*2+len(r.Proto)+len("\r\n") > maxRequestLine:
		return http.StatusRequestURITooLong
	case r.ProtoMajor != 1 || r.ProtoMinor > 1:
		return http.StatusHTTPVersionNotSupported
	case strings.ContainsFunc(r.RequestURI, func(c rune) bool { return c > 0x7f }):
		return http.StatusBadRequest
	case r.RequestURI == "*" && r.Method != http.MethodOptions:
		return http.StatusMethodNotAllowed
	}
	size, count := len("\r\n"), 0
	line := func(name, value string) {
		count++
		size += len(name) + len(": ") + len(value) + len("\r\n")
	}
	if r.Host != "" {
		line("Host", r.Host)
	}
	for name, values := range r.Header {
		for _, value := range values {
			line(name, value)
		}
	}
	for _, value := range r.TransferEncoding { // which net/http takes out of the header
		line("Transfer-Encoding", value)
	}
	switch {
	case size > maxHeaderBytes || count > maxHeaders:
		return http.StatusRequestHeaderFieldsTooLarge
	case !hostHeader.MatchString(r.Host):
		return http.StatusBadRequest
	}
	return 0
}

var (
	hostHeader = regexp.MustCompile(`^([A-Za-z0-9\-._~!$'()&]*|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)
	hostName   = regexp.MustCompile(`^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$`)
)

// isAuthority reports whether System.Uri takes a Host header. The host's server lets others pass, and
// the function that is called then fails with 500.
func isAuthority(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "0"
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number > 65535 {
		return false
	}
	if bracketed := strings.Trim(name, "[]"); net.ParseIP(bracketed) != nil {
		return true
	}
	return hostName.MatchString(name)
}

// splitTarget returns the escaped path of a request's target, and its query. Without a path, as in
// "OPTIONS *", it is empty.
func splitTarget(r *http.Request) (path, query string, hasQuery bool) {
	target := r.RequestURI
	if _, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") {
		target = "/"
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			target = "/" + strings.TrimPrefix(rest[i:], "/")
		}
	}
	if !strings.HasPrefix(target, "/") { // of OPTIONS or CONNECT
		target = ""
	}
	return strings.Cut(target, "?")
}
