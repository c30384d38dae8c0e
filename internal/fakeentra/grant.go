package fakeentra

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// An App is an app registration: a web API that exchanges its callers' tokens.
type App struct {
	ClientID  string
	Secret    string
	AppIDURIs []string // besides api://{ClientID}

	// Assertion judges the client_assertion of an app without a secret, such as a managed
	// identity's token. Nil accepts none.
	Assertion func(jwt string) error
}

// AddApp registers an app, in every tenant.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[a.ClientID] = a
}

// RequireInteraction sets a conditional access policy: a token for resource (its App ID URI) is
// not to be had on behalf of a user before the user has satisfied claims, the JSON of a claims
// challenge. Empty claims lift the policy.
func (s *Server) RequireInteraction(resource, claims string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.challenges[resource] = claims
}

// A failure is the body of an error answer.
type failure struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	Timestamp   string `json:"timestamp"`
	TraceID     string `json:"trace_id"`
	Correlation string `json:"correlation_id"`
	SubError    string `json:"suberror,omitempty"`
	Claims      string `json:"claims,omitempty"`

	code int
}

func (s *Server) fail(w http.ResponseWriter, status int, f failure) {
	const none = "00000000-0000-0000-0000-000000000000"
	f.Timestamp = s.now().UTC().Format("2006-01-02 15:04:05Z")
	f.TraceID, f.Correlation = none, none
	f.Codes = []int{f.code}
	f.Description = fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		f.code, f.Description, none, none, f.Timestamp)
	writeJSON(w, status, f)
}

// token is the token endpoint, for the on-behalf-of grant.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.known(r.PathValue("tenant")); !ok {
		s.fail(w, http.StatusBadRequest, failure{Error: "invalid_request", code: 90002, Description: "Tenant not found."})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		s.fail(w, http.StatusBadRequest, failure{Error: "invalid_request", code: 900144, Description: "The request body is malformed."})
		return
	}
	app, ok := s.authenticate(r.PostForm)
	if !ok {
		s.fail(w, http.StatusUnauthorized, failure{Error: "invalid_client", code: 7000215, Description: "Invalid client secret provided."})
		return
	}
	answer, refused := s.onBehalfOf(r.PathValue("tenant"), app, r.PostForm)
	if refused != nil {
		s.fail(w, http.StatusBadRequest, *refused)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) authenticate(form url.Values) (App, bool) {
	s.mu.Lock()
	app, ok := s.apps[form.Get("client_id")]
	s.mu.Unlock()
	if !ok {
		return App{}, false
	}
	if assertion := form.Get("client_assertion"); assertion != "" {
		const kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
		return app, form.Get("client_assertion_type") == kind && app.Assertion != nil && app.Assertion(assertion) == nil
	}
	given := []byte(form.Get("client_secret"))
	return app, app.Secret != "" && subtle.ConstantTimeCompare(given, []byte(app.Secret)) == 1
}

// onBehalfOf exchanges an assertion for a token for another resource.
func (s *Server) onBehalfOf(tenant string, app App, form url.Values) (map[string]any, *failure) {
	if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return nil, &failure{Error: "unsupported_grant_type", code: 70003, Description: "The app requested an unsupported grant type."}
	}
	if form.Get("requested_token_use") != "on_behalf_of" {
		return nil, &failure{Error: "invalid_request", code: 900144, Description: "The request body must contain the parameter: 'requested_token_use'."}
	}
	user, refused := s.assertion(tenant, app, form.Get("assertion"))
	if refused != nil {
		return nil, refused
	}
	scopes, resource, refused := resourceOf(form.Get("scope"))
	if refused != nil {
		return nil, refused
	}
	s.mu.Lock()
	claims := s.challenges[resource]
	s.mu.Unlock()
	if claims != "" {
		return nil, &failure{Error: "interaction_required", code: 50076, SubError: "basic_action", Claims: claims,
			Description: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication."}
	}
	const lifetime = time.Hour
	oid, _ := user["oid"].(string)
	tid, _ := user["tid"].(string)
	answer := map[string]any{
		"token_type":     "Bearer",
		"scope":          strings.Join(scopes, " "),
		"expires_in":     int(lifetime.Seconds()),
		"ext_expires_in": int(lifetime.Seconds()),
		"access_token": s.Issue(Token{
			Version: v1, Tenant: tid, Audience: resource, ClientID: app.ClientID, ObjectID: oid,
			Scopes: []string{"user_impersonation"}, Lifetime: lifetime,
		}),
	}
	if slices.Contains(strings.Fields(form.Get("scope")), "offline_access") {
		answer["refresh_token"] = "1.refresh-" + oid
	}
	return answer, nil
}

// assertion checks the user's token as Entra does: its own signature, still valid, of the tenant
// that is asked, made for the app that asks, and of a user.
func (s *Server) assertion(tenant string, app App, raw string) (jwt.MapClaims, *failure) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, k := range s.keys {
			if k.id == t.Header["kid"] {
				return &k.private.PublicKey, nil
			}
		}
		return nil, errors.New("no such key")
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(s.now), jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, &failure{Error: "invalid_grant", code: 500133, Description: "Assertion is not within its valid time range."}
	case err != nil:
		return nil, &failure{Error: "invalid_grant", code: 50013, Description: "Assertion failed signature validation."}
	}
	tid, _ := claims["tid"].(string)
	if tenant != tid && tenant != "common" && tenant != "organizations" {
		return nil, &failure{Error: "invalid_grant", code: 50013, Description: "The tenant for the assertion does not match the request."}
	}
	audience, _ := claims["aud"].(string)
	if !slices.Contains(append([]string{app.ClientID, "api://" + app.ClientID}, app.AppIDURIs...), audience) {
		return nil, &failure{Error: "invalid_grant", code: 50013,
			Description: "Assertion audience does not match the Client app presenting the assertion."}
	}
	if scp, _ := claims["scp"].(string); scp == "" || claims["idtyp"] == "app" {
		return nil, &failure{Error: "invalid_grant", code: 50027, Description: "The assertion is not a user's."}
	}
	return claims, nil
}

// resourceOf returns the scopes that are asked for and the one resource that they belong to.
func resourceOf(scope string) (scopes []string, resource string, refused *failure) {
	for _, s := range strings.Fields(scope) {
		if slices.Contains([]string{"openid", "profile", "email", "offline_access"}, s) {
			continue
		}
		of, name := s, ""
		if i := strings.LastIndexByte(s, '/'); i >= 0 {
			of, name = s[:i], s[i+1:]
		}
		if name == "" {
			return nil, "", &failure{Error: "invalid_scope", code: 70011, Description: "The provided value for the input parameter 'scope' is not valid."}
		}
		if resource != "" && of != resource {
			return nil, "", &failure{Error: "invalid_request", code: 28000,
				Description: "Provided value for the input parameter scope is not valid because it contains more than one resource."}
		}
		scopes, resource = append(scopes, s), of
	}
	if resource == "" {
		return nil, "", &failure{Error: "invalid_request", code: 900144, Description: "The request body must contain the following parameter: 'scope'."}
	}
	return scopes, resource, nil
}
