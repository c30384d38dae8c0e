package authn

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestAnswersAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	f := refusals{scope: "api://x/a api://x/b", metadataURL: metadataURL}
	for _, test := range []struct {
		err    *Error
		status int
		body   string
		header map[string]string
	}{
		{f.anonymous(errNoCredentials), 401,
			`{"error":{"code":"authentication_required","message":"Missing or invalid Authorization header"}}`,
			map[string]string{"WWW-Authenticate": `Bearer scope="api://x/a api://x/b", resource_metadata="` + metadataURL + `"`}},
		{f.invalid(errNoCredentials), 401,
			`{"error":{"code":"authentication_required","message":"Missing or invalid Authorization header"}}`,
			map[string]string{"WWW-Authenticate": `Bearer error="invalid_token", scope="api://x/a api://x/b", resource_metadata="` + metadataURL + `"`}},
		{f.missingScopes([]string{"repo:write"}), 403,
			`{"error":{"code":"insufficient_scopes","message":"Token missing required scopes: repo:write"}}`,
			map[string]string{"WWW-Authenticate": `Bearer error="insufficient_scope", scope="api://x/a api://x/b", resource_metadata="` + metadataURL + `"`}},
		{NotAllowed("No"), 403, `{"error":{"code":"principal_not_allowed","message":"No"}}`,
			map[string]string{"WWW-Authenticate": ""}},
		{unavailable(1500*time.Millisecond, errNoCredentials), 503,
			`{"error":{"code":"auth_unavailable","message":"The identity provider cannot be reached"}}`,
			map[string]string{"Retry-After": "2", "WWW-Authenticate": ""}},
		{InteractionRequired(config.Auth{}, Env{MetadataURL: metadataURL},
			&Caller{TenantID: tenantA, Claims: map[string]any{"xms_cc": []any{"cp1"}}}, `{"a":1}`), 401,
			`{"error":{"code":"interaction_required","message":"Signing in again is required by a policy of your organization"}}`,
			map[string]string{"WWW-Authenticate": `Bearer authorization_uri="https://login.microsoftonline.com/` + tenantA +
				`/oauth2/v2.0/authorize", error="insufficient_claims", claims="eyJhIjoxfQ==", resource_metadata="` + metadataURL + `"`}},
		{InteractionRequired(config.Auth{}, Env{}, &Caller{}, `{"a":1}`), 403,
			`{"error":{"code":"interaction_required","message":"Signing in again is required by a policy of your organization"}}`,
			map[string]string{"WWW-Authenticate": ""}},
	} {
		w := httptest.NewRecorder()
		test.err.ServeHTTP(w, nil)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, test.status, test.body)
		}
		test.header["Content-Type"] = "application/json"
		test.header["Cache-Control"] = "no-store"
		for name, want := range test.header {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", test.body, name, got, want)
			}
		}
	}
}

func TestT54AllInvalidTokensGetTheSameAnswer(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	header, payload := parts(t, l.token())
	answers := make(map[string][]string)
	for name, token := range map[string]string{
		"not a JWT":      "x",
		"alg none":       forge(`{"alg":"none"}`, text(payload), rs256),
		"crit":           l.token(func(f *fakeentra.Token) { f.Header = map[string]any{"crit": []string{"x"}} }),
		"typ":            l.token(func(f *fakeentra.Token) { f.Header = map[string]any{"typ": "x"} }),
		"kid":            l.token(func(f *fakeentra.Token) { f.Header = map[string]any{"kid": "x"} }),
		"signature":      forge(text(header), text(payload), func(s string) []byte { return rs256(s + "x") }),
		"no signature":   forge(text(header), text(payload), func(string) []byte { return nil }),
		"expired":        l.token(func(f *fakeentra.Token) { f.Lifetime = -time.Hour }),
		"not yet valid":  l.token(claim("nbf", l.clock.now().Unix()+3600)),
		"no exp":         l.token(claim("exp", nil)),
		"audience":       l.token(func(f *fakeentra.Token) { f.Audience = "x" }),
		"issuer":         l.token(claim("iss", "https://x")),
		"tenant":         l.token(func(f *fakeentra.Token) { f.Tenant = tenantC }),
		"version":        l.token(claim("ver", "x")),
		"no scp":         l.token(func(f *fakeentra.Token) { f.Scopes = nil }),
		"no oid":         l.token(claim("oid", nil)),
		"duplicate":      forge(text(header), strings.Replace(text(payload), "{", `{"exp":1,`, 1), rs256),
		"base64":         "e30.e31.e30",
		"for Graph":      l.token(func(f *fakeentra.Token) { f.Header = map[string]any{"nonce": "x"} }),
		"too long":       strings.Repeat("A", maxTokenBytes+1),
		"wrong alphabet": "ä",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := l.guard.Check(r)
		w := httptest.NewRecorder()
		e := wantRefusal(t, name, err, http.StatusUnauthorized)
		if tail := token[max(0, len(token)-20):]; len(tail) == 20 && strings.Contains(e.Error(), tail) {
			t.Errorf("%s: the reason has the token in it: %s", name, e)
		}
		e.ServeHTTP(w, r)
		var answer strings.Builder
		w.Result().Write(&answer)
		answers[answer.String()] = append(answers[answer.String()], name)
	}
	if len(answers) != 1 {
		t.Errorf("different answers: %q", answers)
	}
}

func TestT55NothingGetsOutOfAChallenge(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"a\r\nSet-Cookie: x=y", "a\nb", "a\x00b", `a", error="none`, `a\`, "ä", "\x7f", "a\tb",
	} {
		c := Challenge{Error: evil, Scope: evil, ResourceMetadata: "https://x/", Claims: evil, AuthorizationURI: evil}
		if got, want := c.String(), `Bearer resource_metadata="https://x/"`; got != want {
			t.Errorf("%q: got %s, want %s", evil, got, want)
		}
	}
}

// FuzzChallengeRoundTrips reads what we write with the SDK's parser, which clients use.
func FuzzChallengeRoundTrips(f *testing.F) {
	f.Add("invalid_token", "a b", "https://x/y", "eyJ9==")
	f.Add("", `a"b`, "https://x/?a=b,c=d", "\\")
	f.Add("a, b=c", "=", "Bearer x", ",")
	f.Fuzz(func(t *testing.T, code, scope, metadata, claims string) {
		c := Challenge{Error: code, Scope: scope, ResourceMetadata: metadata, Claims: claims}
		header := c.String()
		if strings.ContainsFunc(header, func(r rune) bool { return r < 0x20 || r > 0x7E }) {
			t.Fatalf("%q is not printable ASCII", header)
		}
		got, err := oauthex.ParseWWWAuthenticate([]string{header})
		if err != nil {
			t.Fatalf("%q: %v", header, err)
		}
		want := oauthex.Challenge{Scheme: "bearer"}
		for name, value := range map[string]string{"error": code, "scope": scope, "resource_metadata": metadata, "claims": claims} {
			if value != "" && quotable(value) {
				if want.Params == nil {
					want.Params = make(map[string]string)
				}
				want.Params[name] = value
			}
		}
		if diff := cmp.Diff([]oauthex.Challenge{want}, got); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", header, diff)
		}
	})
}
