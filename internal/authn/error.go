package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The codes of the answers. The first two and their bodies are the reference adapter's.
const (
	CodeAuthenticationRequired = "authentication_required" // 401: no token, or not a valid one
	CodeInsufficientScopes     = "insufficient_scopes"     // 403: a valid token that may too little
	CodePrincipalNotAllowed    = "principal_not_allowed"   // 403: a valid token of someone who may not call
	CodeInteractionRequired    = "interaction_required"    // 401 or 403: the user has to sign in again
	CodeUnavailable            = "auth_unavailable"        // 503: the identity provider cannot be reached
	CodeTooManyTokens          = "too_many_tokens"         // 429: too many tokens were refused just before
)

// messageAuthenticationRequired is the one text for every token that is not accepted: what exactly
// was wrong with it is for the log, not for a caller who is trying tokens.
const messageAuthenticationRequired = "Missing or invalid Authorization header"

// An Error is the refusal of a request: what to answer, and for the log why. As an [http.Handler]
// it writes the answer.
type Error struct {
	Status     int
	Code       string
	Message    string        // goes to the caller
	Challenge  *Challenge    // nil when there is no WWW-Authenticate
	RetryAfter time.Duration // zero when there is no Retry-After

	reason error
}

// Error says why the request was refused. It is for the log only.
func (e *Error) Error() string {
	if e.reason == nil {
		return e.Message
	}
	return e.reason.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.reason }

// ServeHTTP answers with e. The body is {"error":{"code":…,"message":…}}, as the reference adapter
// documents it.
func (e *Error) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	body, _ := json.Marshal(map[string]map[string]string{"error": {"code": e.Code, "message": e.Message}}) // strings can be written
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if e.Challenge != nil {
		h.Set("WWW-Authenticate", e.Challenge.String())
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(e.RetryAfter.Seconds())), 10))
	}
	w.WriteHeader(e.Status)
	w.Write(body)
}

// A Challenge is the value of a WWW-Authenticate header of scheme Bearer (RFC 6750, section 3).
type Challenge struct {
	Error            string // "" when the request carried no token
	Scope            string // space separated
	ResourceMetadata string // RFC 9728, section 5.1
	AuthorizationURI string // Entra's claims challenge
	Claims           string // Entra's claims challenge: base64
}

// String returns the header's value. A parameter with a character that RFC 6750 does not permit in
// a quoted value (anything but printable ASCII without '"' and '\') is left out: nothing in a
// configuration or a token can start a second header or a second parameter.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Bearer")
	sep := " "
	for _, p := range []struct{ name, value string }{
		{"authorization_uri", c.AuthorizationURI},
		{"error", c.Error},
		{"claims", c.Claims},
		{"scope", c.Scope},
		{"resource_metadata", c.ResourceMetadata},
	} {
		if p.value == "" || !quotable(p.value) {
			continue
		}
		b.WriteString(sep + p.name + `="` + p.value + `"`)
		sep = ", "
	}
	return b.String()
}

func quotable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7E || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// The errors of RFC 6750, section 3.1, that we answer with.
const (
	challengeInvalidToken      = "invalid_token"
	challengeInsufficientScope = "insufficient_scope"
)

// refusals makes the errors of one server.
type refusals struct {
	scope       string // what to ask the authorization server for
	metadataURL string
}

// anonymous refuses a request without a bearer token. RFC 6750, section 3.1: then no error code.
func (f refusals) anonymous(reason error) *Error { return f.unauthorized("", reason) }

func (f refusals) invalid(reason error) *Error { return f.unauthorized(challengeInvalidToken, reason) }

func (f refusals) unauthorized(code string, reason error) *Error {
	return &Error{
		Status:    http.StatusUnauthorized,
		Code:      CodeAuthenticationRequired,
		Message:   messageAuthenticationRequired,
		Challenge: &Challenge{Error: code, Scope: f.scope, ResourceMetadata: f.metadataURL},
		reason:    reason,
	}
}

func (f refusals) missingScopes(missing []string) *Error {
	message := "Token missing required scopes: " + strings.Join(missing, " ")
	return &Error{
		Status:    http.StatusForbidden,
		Code:      CodeInsufficientScopes,
		Message:   message,
		Challenge: &Challenge{Error: challengeInsufficientScope, Scope: f.scope, ResourceMetadata: f.metadataURL},
	}
}

// NotAllowed refuses a request that no other token of the same user would help.
func NotAllowed(message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: CodePrincipalNotAllowed, Message: message}
}

// InsufficientScope refuses a request for want of scopes, where nothing else is known about how to get them.
func InsufficientScope(missing []string) *Error {
	return refusals{scope: strings.Join(missing, " ")}.missingScopes(missing)
}

// unavailable refuses a token that could not be judged. That is our outage or the identity provider's, not the caller's
// fault, and of the moment.
func unavailable(retryAfter time.Duration, reason error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: "The identity provider cannot be reached",
		RetryAfter: retryAfter, reason: reason,
	}
}

// hurried refuses a token that was not asked about, since too many were refused just before.
func hurried(retryAfter time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: CodeTooManyTokens, Message: "Too many tokens were refused just before; try again later",
		RetryAfter: retryAfter, reason: fmt.Errorf("too many tokens were refused recently; next check in %s", retryAfter),
	}
}

// passes reports whether err is of the moment, and says nothing of the token.
func passes(err error) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.RetryAfter > 0
}
