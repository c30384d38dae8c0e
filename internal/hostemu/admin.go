package hostemu

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// An ownPath is one of the host's own. All else below /admin and /runtime is the functions'.
type ownPath struct {
	methods []string
	path    *regexp.Regexp // of the path in small letters, without slashes at its ends
	open    bool           // asks for no key
	serve   func(h *Host, w http.ResponseWriter, r *http.Request, name string)
}

// ownPaths are the routes of the host's controllers. Those without serve do not exist here: a client that
// has the master key learns that they are not implemented.
func ownPaths() []ownPath {
	at := func(path string, methods ...string) ownPath {
		return ownPath{methods: methods, path: regexp.MustCompile("^" + path + "$")}
	}
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	ping := at(`admin/host/ping`, get, post)
	ping.open, ping.serve = true, func(*Host, http.ResponseWriter, *http.Request, string) {}
	status := at(`admin/host/status`, get)
	status.serve = (*Host).serveStatus
	functions := at(`admin/functions`, get)
	functions.serve = (*Host).serveFunctions
	function := at(`admin/functions/([^/]+)`, get)
	function.serve = (*Host).serveFunctionInfo
	call := at(`admin/functions/([^/]+)`, post)
	call.serve = (*Host).serveCall
	webhook := at(`runtime/webhooks/[^/]+(?:/.*)?`, get, post, put, del, http.MethodOptions)
	webhook.open, webhook.serve = true, func(_ *Host, w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusNotFound) }
	return []ownPath{
		ping, status, functions, function, call, webhook,
		at(`admin/functions/[^/]+`, put, del),
		at(`admin/functions/[^/]+/status`, get),
		at(`admin/functions/[^/]+/keys`, get),
		at(`admin/functions/[^/]+/keys/[^/]+`, get, post, put, del),
		at(`admin/host/(?:keys|functionkeys|systemkeys)`, get),
		at(`admin/host/(?:keys|functionkeys|systemkeys)/[^/]+`, get, post, put, del),
		at(`admin/host/(?:drain|resume|restart|log|synctriggers)`, post),
		at(`admin/host/drain/status`, get),
		at(`admin/host/state`, put),
		at(`admin/host/processes`, get),
		at(`admin/extensions/.+`, get, post, put, del),
	}
}

// serveOwn answers a request to one of the host's own paths, and reports whether it was one.
func (h *Host) serveOwn(w http.ResponseWriter, r *http.Request, path string) bool {
	path = strings.TrimPrefix(path, "/")
	text := strings.ToLower(strings.TrimSuffix(path, "/"))
	if !strings.HasPrefix(text, "admin/") && !strings.HasPrefix(text, "runtime/") {
		return false
	}
	for _, own := range ownPaths() {
		found := own.path.FindStringSubmatch(text)
		if found == nil || !slices.Contains(own.methods, strings.ToUpper(r.Method)) {
			continue
		}
		if h.opts.Local && !ofThisMachine(r) {
			finish(w, r, http.StatusForbidden)
			return true
		}
		if h.opts.EnforceKeys && !own.open {
			if status := h.opts.Keys.admitsAdmin(r); status != http.StatusOK {
				finish(w, r, status)
				return true
			}
		}
		switch {
		case own.serve != nil:
			own.serve(h, w, r, found[len(found)-1])
		default:
			finish(w, r, http.StatusNotImplemented)
		}
		return true
	}
	return false
}

// ofThisMachine reports whether a request names this machine, and was not sent by a page of another site. A page
// can make a name of its own lead here.
func ofThisMachine(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if !strings.EqualFold(host, "localhost") && (ip == nil || !ip.IsLoopback()) {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && !strings.EqualFold(origin, "http://"+r.Host) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "none" || site == "same-origin"
}

// serveStatus says "Running" also while the handler starts or is away: the host does.
func (h *Host) serveStatus(w http.ResponseWriter, _ *http.Request, _ string) {
	status := struct {
		State   string   `json:"state"`
		Version string   `json:"version"`
		Errors  []string `json:"errors,omitempty"`
	}{State: "Running", Version: HostVersion}
	if st, _ := h.current(); st.life.Fault != nil {
		status.State, status.Errors = "Error", []string{st.life.Fault.Error()}
	}
	writeJSON(w, status)
}

func (h *Host) serveFunctions(w http.ResponseWriter, _ *http.Request, _ string) {
	list := []functionInfo{}
	for _, f := range h.Functions() {
		list = append(list, infoOf(f))
	}
	writeJSON(w, list)
}

func (h *Host) serveFunctionInfo(w http.ResponseWriter, r *http.Request, name string) {
	for _, f := range h.Functions() {
		if strings.EqualFold(f.Name, name) {
			writeJSON(w, infoOf(f))
			return
		}
	}
	finish(w, r, http.StatusNotFound)
}

// functionInfo is a function as the admin API tells of it, in part.
type functionInfo struct {
	Name      string `json:"name"`
	InvokeURL string `json:"invoke_url_template,omitempty"`
	Disabled  bool   `json:"isDisabled"`
}

func infoOf(f Function) functionInfo { return functionInfo{f.Name, f.URL, f.disabled} }

// serveCall runs a timer function and does not wait for its result.
func (h *Host) serveCall(w http.ResponseWriter, r *http.Request, name string) {
	st, _ := h.current()
	f, err := st.life.function(name)
	switch {
	case err != nil:
		finish(w, r, http.StatusNotFound)
	case f.Trigger != "timerTrigger":
		finish(w, r, http.StatusNotImplemented)
	default:
		h.calls.Go(func() {
			if err := h.TriggerTimer(context.WithoutCancel(r.Context()), name); err != nil {
				h.opts.Logf("%v", err)
			}
		})
		w.WriteHeader(http.StatusAccepted)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode an answer of the host: %v", err)) // of our own types
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(text) // a client that is gone needs no error
}
