package broker

import (
	"net/http"
	"time"
)

// newClient returns the client for everything that the broker asks. It follows no redirect: every
// request carries a secret, and is for the address that was configured.
func newClient(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          16,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: answerTimeout,
		}
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
