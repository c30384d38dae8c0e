package broker

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxRequest    = 8 << 10 // bytes of a request, all of it
	answerTimeout = 10 * time.Second

	tokenPath  = "/msi/token" // after the lease's part
	apiVersion = "2019-08-01"
)

// A token is the answer of the protocol.
type token struct {
	AccessToken string `json:"access_token"`
	ExpiresOn   string `json:"expires_on"` // seconds since 1970
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
	ClientID    string `json:"client_id"`
}

// A refusal is an error that the process may see: nothing in it is secret.
type refusal struct {
	status      int
	code        string
	description string
}

func (e *refusal) Error() string { return e.description }

// errUnavailable hides from the process what only the log is to say.
var errUnavailable = &refusal{http.StatusBadRequest, "temporarily_unavailable", "no token could be obtained; the app's log says why"}

// answer answers one request. An unknown path and a wrong secret look the same.
func (b *Broker) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // or net/http would read the body to its end
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, &refusal{http.StatusMethodNotAllowed, "invalid_request", "only GET is allowed"})
		return
	}
	l := b.authenticate(r)
	if l == nil {
		refuse(w, &refusal{http.StatusUnauthorized, "unauthorized", "IDENTITY_ENDPOINT and IDENTITY_HEADER do not match, or have expired"})
		return
	}
	if l.hurries(b.now()) {
		w.Header().Set("Retry-After", "1")
		refuse(w, &refusal{http.StatusTooManyRequests, "too_many_requests", "more than " + strconv.Itoa(rate) + " requests per second"})
		return
	}
	resource, err := requestedResource(r)
	if err != nil {
		refuse(w, &refusal{http.StatusBadRequest, "invalid_request", err.Error()})
		return
	}
	t, err := l.token(r.Context(), resource)
	if err != nil {
		refuse(w, l.explain(resource, err))
		return
	}
	l.log.Debug("token issued", "resource", resource, "expires_on", t.ExpiresOn)
	writeJSON(w, http.StatusOK, t)
}

// authenticate returns the lease that r may use, or nil.
func (b *Broker) authenticate(r *http.Request) *Lease {
	path, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), tokenPath)
	headers := r.Header["X-Identity-Header"]
	if !ok || len(headers) != 1 {
		return nil
	}
	l := b.lease(path)
	if l == nil || !l.admits(headers[0]) {
		return nil
	}
	return l
}

// requestedResource reads the query. The parameters by which a client selects one of several
// identities mean nothing here and are not looked at: SDKs add client_id whenever AZURE_CLIENT_ID is
// set, which for on-behalf-of is the app registration.
func requestedResource(r *http.Request) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return "", errors.New("malformed query")
	case r.ContentLength != 0:
		return "", errors.New("a request with a body")
	case len(query["api-version"]) != 1 || query.Get("api-version") != apiVersion:
		return "", errors.New("api-version must be " + apiVersion)
	case len(query["resource"]) != 1 || query.Get("resource") == "":
		return "", errors.New("resource is missing or repeated")
	}
	return query.Get("resource"), nil
}

// explain turns an error into what the process is told, and writes the rest of it to the log. An
// interaction that the user has to go through is kept for the user's next request.
func (l *Lease) explain(resource string, err error) *refusal {
	if told, ok := errors.AsType[*refusal](err); ok {
		l.log.Debug("token refused", "resource", resource, "reason", err)
		return told
	}
	if demanded, ok := errors.AsType[*interactionError](err); ok {
		l.demand(demanded)
	}
	if denied, ok := errors.AsType[*deniedError](err); ok {
		l.log.Warn("token refused by the identity provider", "resource", resource, "error", denied.Code,
			"codes", denied.Codes, "suberror", denied.Suberror, "correlation_id", denied.Correlation)
		return &refusal{http.StatusBadRequest, denied.Code, denied.Error()}
	}
	l.log.Warn("cannot get a token", "resource", resource, "error", err)
	return errUnavailable
}

// refuse answers with e twice over: as OAuth says it, which most SDKs understand, and as App Service
// does, which is all that Python's does.
func refuse(w http.ResponseWriter, e *refusal) {
	writeJSON(w, e.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Status      int    `json:"statusCode"`
		Message     string `json:"message"`
	}{e.code, e.description, e.status, e.description})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v) // strings and numbers can be written
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
