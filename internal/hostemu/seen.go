package hostemu

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// CheckPublic reports what is wrong with an address for Options.Public. Nothing is with an empty one.
func CheckPublic(address string) error {
	_, err := publicAddress(address)
	return err
}

// publicAddress reads Options.Public.
func publicAddress(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("invalid public address %q: want one like https://app.example.net", text)
	}
	return u, nil
}

// seenAs returns scheme and host as the client knows them, which is what the handler is told of in
// X-Forwarded-Proto and X-Forwarded-Host. On Azure the front end names them.
func (h *Host) seenAs(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if h.public != nil {
		scheme, host = h.public.Scheme, h.public.Host
	}
	if h.opts.TrustFront {
		if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" {
			scheme = proto // as it stands
		}
		if name := r.Header.Get("Disguised-Host"); name != "" {
			host = name
		}
	}
	return scheme, host
}
