// Package devpage is the page of mcpfunc dev: the servers of an app, how clients connect to them, their live
// sessions and processes, and forms to call their tools.
//
// The handler serves the page, not the command that started it, because only the handler knows what the page
// shows, and because the page then works under any Functions host. All of it is GET / with a query: that is the
// only route of a project that is not an endpoint, and another one would have to be deployed.
//
// The page itself says what the landing page says. What happens in sessions is shown only to holders of the key,
// which is in the fragment of the address that mcpfunc dev prints. So the key is in no request line and no log,
// and, unlike a cookie, which a browser sends to every port of a host, it stays with this origin. The page sends
// it in a header of its own, so no page of another origin can make a browser send it.
package devpage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// KeyHeader carries the key.
const KeyHeader = "Mcpfunc-Dev-Key"

// Options says what the page is about.
type Options struct {
	Key         string   // that requests for what happens must bring
	History     *History // of what happened; it is the watch.Sink of the app
	Started     time.Time
	Servers     []Server
	Default     string // name of the server behind DefaultPath
	DefaultPath string
	Memory      func(pids []int) map[int]int64 // bytes that processes use, by pid
	Shared      func() Shared                  // what it has to do with other instances; nil where it is the only one
}

// Shared are figures of what an instance of the app has to do with others.
type Shared struct {
	Owned     int   `json:"owned"`     // sessions whose requests others pass on to it
	Forwarded int64 `json:"forwarded"` // requests that it has passed on
	Answered  int64 `json:"answered"`  // requests that it has answered for others
}

// A Server is one server of the app.
type Server struct {
	Name, Path, Description string
	Command                 string   // as a person would type it, without secrets
	Era                     string   // that the configuration names; empty or "auto" if it is found out
	Token                   bool     // callers need one
	Headers                 []string // that every request carries, with a value that is the caller's own

	Drifted func() []string `json:"-"` // names of its tools that are not as they were packed; nil for none
}

// A Page serves the page. It may be used from any goroutine.
type Page struct {
	opts Options
	key  [sha256.Size]byte
	run  string // tells this App from the one before a reload
	look string // tells what the page was made of
}

//go:embed assets/*.css assets/*.js assets/*.svg
var assets embed.FS

// types are the files that the page loads.
var types = map[string]string{
	"page.css": "text/css; charset=utf-8",
	"page.js":  "text/javascript; charset=utf-8",
	"mcp.js":   "text/javascript; charset=utf-8",
	"tools.js": "text/javascript; charset=utf-8",
	"form.js":  "text/javascript; charset=utf-8",
	"icon.svg": "image/svg+xml",
}

// policy lets the page load what is its own and nothing else, and lets no text become markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// New returns a page.
func New(o Options) *Page {
	made, err := json.Marshal([]any{o.Servers, o.Default})
	if err != nil {
		panic(err) // they are plain values
	}
	sum := sha256.Sum256(made)
	return &Page{opts: o, key: sha256.Sum256([]byte(o.Key)), run: rand.Text(), look: hex.EncodeToString(sum[:8])}
}

// Takes reports whether a request for "/" is one for the page: of a browser on this machine that
// calls it by one of its own names. Against DNS rebinding that must hold for both names, the one
// that the Functions host was called by and the one that it calls us by.
func (p *Page) Takes(r *http.Request) bool {
	wants := strings.Contains(r.Header.Get("Accept"), "text/html") || r.URL.Query().Has("dev")
	return wants && loopback(r.Host) && (r.Header.Get("X-Forwarded-Host") == "" || loopback(r.Header.Get("X-Forwarded-Host")))
}

// ServeHTTP answers a request that Takes took.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", policy)
	switch name := r.URL.Query().Get("dev"); {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		fail(w, http.StatusMethodNotAllowed, "this page is read-only")
	case foreign(r):
		fail(w, http.StatusForbidden, "the request came from another page")
	case name == "":
		h.Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, p.render(origin(r)))
	case name == "state":
		p.state(w, r)
	case types[name] != "":
		data, _ := assets.ReadFile("assets/" + name) // it is embedded
		h.Set("Content-Type", types[name])
		w.Write(data)
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

// foreign reports whether a page of another origin asks. Links to the page itself are no harm, and
// a browser without Fetch Metadata is stopped by the key.
func foreign(r *http.Request) bool {
	if from := r.Header.Get("Origin"); from != "" && from != origin(r) {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// origin is the scheme and host by which the browser called, which is a name of this machine.
func origin(r *http.Request) string {
	host := r.Host
	if h := r.Header.Get("X-Forwarded-Host"); h != "" {
		host = h
	}
	return "http://" + host
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"error": message})
}

// patience is how long a request for the state waits for news. What the processes use is not news
// and is told that often.
const patience = 2 * time.Second

// state tells what happens, once there is something that the caller does not know yet: it says what
// it knows by run and version, and up to where it has read which session.
func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	brought := sha256.Sum256([]byte(r.Header.Get(KeyHeader)))
	if subtle.ConstantTimeCompare(brought[:], p.key[:]) != 1 {
		fail(w, http.StatusForbidden, "the key is missing or from another run")
		return
	}
	var version, session, message, line uint64
	q := r.URL.Query()
	for name, n := range map[string]*uint64{"version": &version, "session": &session, "message": &message, "line": &line} {
		if _, err := fmt.Sscan(q.Get(name), n); q.Has(name) && err != nil {
			fail(w, http.StatusBadRequest, name+" must be a number")
			return
		}
	}
	if q.Get("run") == p.run {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := p.opts.History.wait(ctx, version); errors.Is(err, errBusy) {
			w.Header().Set("Retry-After", "2")
			fail(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	} else {
		message, line = 0, 0 // of a session of another run
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(p.now(session, message, line))
}
