// Package fakeentra replaces Microsoft Entra ID in tests: tenants with their metadata and keys, access tokens of
// both versions, and the on-behalf-of grant with the checks of the real one. Its answers follow Microsoft's
// documentation; Microsoft's own library works against it, which shows that it is close enough. It does nothing
// that Entra does not do, except fail when it is told to.
package fakeentra

import (
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// ConsumerTenant is the tenant of personal Microsoft accounts.
const ConsumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// A Server is a fake Entra on a loopback port, over TLS. Its methods may be called from many
// goroutines at once.
type Server struct {
	URL string // the authority: https://127.0.0.1:port

	http    *httptest.Server
	now     func() time.Time
	tenants map[string]bool

	mu         sync.Mutex
	keys       []signingKey
	apps       map[string]App
	challenges map[string]string // claims by resource
	broken     http.Handler
	requests   map[Endpoint]int
}

// Options say what a Server starts with.
type Options struct {
	Tenants []string         // GUIDs; ConsumerTenant is always there
	Key     *rsa.PrivateKey  // the first signing key; nil makes one, which takes a while
	Now     func() time.Time // nil means time.Now
}

// Start returns a running server. Close it.
func Start(o Options) *Server {
	s := &Server{
		now:        o.Now,
		tenants:    map[string]bool{ConsumerTenant: true},
		apps:       make(map[string]App),
		challenges: make(map[string]string),
		requests:   make(map[Endpoint]int),
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, t := range o.Tenants {
		s.tenants[t] = true
	}
	s.AddKey(o.Key)
	s.http = httptest.NewTLSServer(s.routes())
	s.URL = s.http.URL
	return s
}

// Close stops the server and waits for requests under way.
func (s *Server) Close() { s.http.Close() }

// Client returns a client that trusts the server's certificate.
func (s *Server) Client() *http.Client { return s.http.Client() }

// Certificate returns the server's certificate in PEM, for SSL_CERT_FILE.
func (s *Server) Certificate() []byte { return encodeCertificate(s.http.Certificate()) }

// An Endpoint is a kind of request.
type Endpoint string

// The endpoints.
const (
	Discovery Endpoint = "discovery"
	Keys      Endpoint = "keys"
	Grant     Endpoint = "token"
)

// Requests returns how many requests an endpoint has had, answered or not.
func (s *Server) Requests(e Endpoint) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[e]
}

// Break makes h answer all requests, until Mend. See [Outage], [Slow], [Garbage], [Huge] and
// [Redirect].
func (s *Server) Break(h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = h
}

// Mend ends what Break began.
func (s *Server) Mend() { s.Break(nil) }

// Outage answers 503.
func Outage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
	})
}

// Slow sends the start of an answer and then one byte per interval, until the client gives up.
func Slow(interval time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
}

// Garbage answers 200 with the HTML page of some middlebox.
func Garbage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<!doctype html><title>Sign in to the network</title>"))
	})
}

// Huge answers 200 with a JSON document of n bytes or a little more.
func Huge(n int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"keys":[],"pad":"` + strings.Repeat("x", n) + `"}`))
	})
}

// Redirect sends everyone to url.
func Redirect(url string) http.Handler { return http.RedirectHandler(url, http.StatusFound) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	const config = "/.well-known/openid-configuration"
	s.handle(mux, Discovery, "GET /{tenant}"+config, s.discovery(v1))
	s.handle(mux, Discovery, "GET /{tenant}/v2.0"+config, s.discovery(v2))
	s.handle(mux, Keys, "GET /{tenant}/discovery/keys", s.keySet)
	s.handle(mux, Keys, "GET /{tenant}/discovery/v2.0/keys", s.keySet)
	s.handle(mux, Grant, "POST /{tenant}/oauth2/v2.0/token", s.token)
	return mux
}

// handle counts a request and answers it, or lets what is broken answer it.
func (s *Server) handle(mux *http.ServeMux, e Endpoint, pattern string, h http.HandlerFunc) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests[e]++
		broken := s.broken
		s.mu.Unlock()
		if broken != nil {
			broken.ServeHTTP(w, r)
			return
		}
		h(w, r)
	})
}
