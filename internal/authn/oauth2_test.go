package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An authServer is an OAuth 2 authorization server that signs JWTs in four ways.
type authServer struct {
	*httptest.Server
	issuer    string // set before the first request
	metadata  string // the path of its only metadata document
	clock     *clock
	ec        *ecdsa.PrivateKey
	ed        ed25519.PrivateKey
	documents atomic.Int32
}

func newAuthServer(t testing.TB, issuerPath, metadata string) *authServer {
	t.Helper()
	a := &authServer{metadata: metadata, clock: newClock()}
	var err error
	if a.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, a.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	a.issuer = a.URL + issuerPath
	return a
}

func (a *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case a.metadata:
		a.documents.Add(1)
		w.Write([]byte(text(map[string]string{"issuer": a.issuer, "jwks_uri": a.URL + "/keys"})))
	case "/keys":
		point, err := a.ec.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		enc := base64.RawURLEncoding.EncodeToString
		w.Write(jwks(
			rsaJWK("rs", rsaKey().N, 65537),
			map[string]any{"kty": "EC", "crv": "P-256", "kid": "ec", "x": enc(point[1:33]), "y": enc(point[33:])},
			map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": enc(a.ed.Public().(ed25519.PublicKey))},
		))
	default:
		http.NotFound(w, r)
	}
}

func (a *authServer) env() Env {
	return Env{Resource: resource, MetadataURL: metadataURL, Development: true, Transport: a.Client().Transport, Now: a.clock.now}
}

func (a *authServer) guard(t testing.TB, change ...func(*config.Auth)) Guard {
	t.Helper()
	cfg := config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: a.issuer}
	for _, c := range change {
		c(&cfg)
	}
	return newGuard(t, cfg, a.env())
}

func (a *authServer) token(change func(jwt.MapClaims)) string {
	return a.sign(jwt.SigningMethodRS256, "rs", rsaKey(), change)
}

func (a *authServer) sign(method jwt.SigningMethod, kid string, private any, change func(jwt.MapClaims)) string {
	now := a.clock.now().Unix()
	c := jwt.MapClaims{
		"iss": a.issuer, "aud": resource, "sub": "user-1", "client_id": "cli", "iat": now, "exp": now + 3600, "scope": "repo:read user:read",
	}
	if change != nil {
		change(c)
	}
	token := jwt.NewWithClaims(method, c)
	token.Header["kid"] = kid
	token.Header["typ"] = "at+jwt"
	signed, err := token.SignedString(private)
	if err != nil {
		panic(err)
	}
	return signed
}

func TestJWTsOfAnIssuerAreAccepted(t *testing.T) {
	t.Parallel()
	for issuerPath, metadata := range map[string][]string{
		"":       {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"},
		"/":      {"/.well-known/oauth-authorization-server"},
		"/realm": {"/.well-known/oauth-authorization-server/realm", "/.well-known/openid-configuration/realm", "/realm/.well-known/openid-configuration"},
	} {
		for _, m := range metadata {
			a := newAuthServer(t, issuerPath, m)
			g := a.guard(t)
			for name, token := range map[string]string{
				"RS256": a.token(nil),
				"PS256": a.sign(jwt.SigningMethodPS256, "rs", rsaKey(), nil),
				"ES256": a.sign(jwt.SigningMethodES256, "ec", a.ec, nil),
				"EdDSA": a.sign(jwt.SigningMethodEdDSA, "ed", a.ed, nil),
			} {
				got, err := check(g, token)
				if err != nil {
					t.Errorf("issuer %q, metadata at %s, %s: %v", issuerPath, m, name, err)
					continue
				}
				want := &Caller{
					Principal: a.issuer + "\x00user-1", Token: token, Subject: "user-1", ClientID: "cli",
					Scopes:   []string{"repo:read", "user:read"},
					IssuedAt: a.clock.now(), Expires: a.clock.now().Add(3600e9), Claims: got.Claims,
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: (-want +got)\n%s", name, diff)
				}
			}
			if got := a.documents.Load(); got != 1 {
				t.Errorf("metadata fetched %d times, want once", got)
			}
		}
	}
}

func TestJWTsOfAnIssuerAreRefused(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "/.well-known/oauth-authorization-server")
	g := a.guard(t)
	set := func(name string, value any) string {
		return a.token(func(c jwt.MapClaims) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		})
	}
	for name, token := range map[string]string{
		"issuer with a slash":   set("iss", a.issuer+"/"),
		"another issuer":        set("iss", "https://evil.example"),
		"no issuer":             set("iss", nil),
		"another audience":      set("aud", "https://mcp.example.com/api/mcp/other"),
		"the whole host":        set("aud", "https://mcp.example.com"),
		"no audience":           set("aud", nil),
		"audience any":          set("aud", "any"),
		"no subject":            set("sub", nil),
		"subject of a NUL":      set("sub", "a\x00b"),
		"no exp":                set("exp", nil),
		"scope a number":        set("scope", 1),
		"refresh of id token":   set("at_hash", "x"),
		"opaque":                "gho_abcdef",
		"RS384":                 a.sign(jwt.SigningMethodRS384, "rs", rsaKey(), nil),
		"RS256 of another":      a.sign(jwt.SigningMethodRS256, "rs", newRSAKey(), nil),
		"EC key for RS256":      a.sign(jwt.SigningMethodRS256, "ec", rsaKey(), nil),
		"unknown key":           a.sign(jwt.SigningMethodRS256, "none", rsaKey(), nil),
		"HS256":                 a.sign(jwt.SigningMethodHS256, "rs", []byte("secret"), nil),
		"scope with line break": set("scope", []string{"a\nb"}),
	} {
		_, err := check(g, token)
		wantRefusal(t, name, err, http.StatusUnauthorized)
	}
}

func TestIssuerOfMetadataIsTheConfiguredOneByteForByte(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "/.well-known/oauth-authorization-server")
	g := a.guard(t)
	token := a.token(nil)
	a.issuer += "/"
	_, err := check(g, token)
	wantRefusal(t, "metadata of another issuer", err, http.StatusServiceUnavailable)
}

func TestKeysOfTheConfigurationNeedNoMetadata(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "nowhere")
	_, err := check(a.guard(t), a.token(nil))
	e := wantRefusal(t, "no metadata", err, http.StatusServiceUnavailable)
	if !strings.Contains(e.Error(), "oauth2_jwks_uri") {
		t.Errorf("reason %q does not name the hint", e)
	}
	g := a.guard(t, func(c *config.Auth) { c.OAuth2JWKSURI = a.URL + "/keys" })
	if _, err := check(g, a.token(nil)); err != nil {
		t.Error(err)
	}
}

func TestAudienceIsTheResourceOrTheConfiguredOne(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "/.well-known/oauth-authorization-server")
	byDefault := a.guard(t)
	configured := a.guard(t, func(c *config.Auth) { c.OAuth2Audience = []string{"api", "https://other"} })
	anything := a.guard(t, func(c *config.Auth) { c.OAuth2Audience = []string{"any"} })
	for _, test := range []struct {
		aud                             any
		byDefault, configured, anything bool
	}{
		{resource, true, false, true},
		{resource + "/", true, false, true},
		{[]string{"x", resource}, true, false, true},
		{"api", false, true, true},
		{"https://other", false, true, true},
		{"https://other/", false, false, true},
		{"x", false, false, true},
		{7, false, false, false},
	} {
		token := a.token(func(c jwt.MapClaims) { c["aud"] = test.aud })
		for name, g := range map[string]struct {
			guard Guard
			want  bool
		}{"default": {byDefault, test.byDefault}, "configured": {configured, test.configured}, "any": {anything, test.anything}} {
			if _, err := check(g.guard, token); (err == nil) != g.want {
				t.Errorf("aud %v with the audience %s: %v, want accepted %v", test.aud, name, err, g.want)
			}
		}
	}
}

func TestT13ScopesCountByNameAndByWhatTheyImply(t *testing.T) {
	t.Parallel()
	a := newAuthServer(t, "", "/.well-known/oauth-authorization-server")
	g := a.guard(t, func(c *config.Auth) {
		c.OAuth2RequiredScopes = []string{"repo:write", "user:read", "offline_access"}
		c.OAuth2ScopeImplies = map[string][]string{
			"admin": {"repo"}, "repo": {"repo:write", "repo:read"}, "repo:read": {"repo"}, // a circle
		}
	})
	for _, test := range []struct {
		scope, scp any
		missing    string
	}{
		{"repo:write user:read offline_access", nil, ""},
		{nil, "repo:write user:read offline_access", ""},
		{nil, []string{"repo:write", "user:read", "offline_access"}, ""},
		{"repo:write", []string{"user:read", "offline_access"}, ""},
		{"admin user:read offline_access", nil, ""},
		{"repo:read user:read offline_access", nil, ""},
		{"repo:write2 user:read offline_access", nil, "repo:write"},
		{"Repo:Write user:read offline_access", nil, "repo:write"},
		{"repo:write,user:read,offline_access", nil, "repo:write user:read offline_access"},
		{"user:read", nil, "repo:write offline_access"},
		{nil, nil, "repo:write user:read offline_access"},
	} {
		_, err := check(g, a.token(func(c jwt.MapClaims) {
			delete(c, "scope")
			if test.scope != nil {
				c["scope"] = test.scope
			}
			if test.scp != nil {
				c["scp"] = test.scp
			}
		}))
		if test.missing == "" {
			if err != nil {
				t.Errorf("scope %v, scp %v: %v", test.scope, test.scp, err)
			}
			continue
		}
		e := wantRefusal(t, "scope", err, http.StatusForbidden)
		if want := "Token missing required scopes: " + test.missing; e.Message != want {
			t.Errorf("scope %v, scp %v: %q, want %q", test.scope, test.scp, e.Message, want)
		}
		if want := "repo:write user:read"; e.Challenge.Scope != want {
			t.Errorf("challenge asks for %q, want %q", e.Challenge.Scope, want)
		}
	}
}

func TestOAuth2SettingsThatGuardNothingStopTheApp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg  config.Auth
		want []string
	}{
		"nothing":              {config.Auth{}, []string{"oauth2_issuer", "oauth2_introspection_endpoint"}},
		"keys without issuer":  {config.Auth{OAuth2JWKSURI: "https://x/keys", OAuth2IntrospectionEndpoint: "https://x"}, []string{"oauth2_issuer"}},
		"GitHub alone":         {config.Auth{OAuth2Issuer: "https://github.com"}, []string{"oauth2_introspection_client_id", `"oauth2_audience": "any"`}},
		"GitHub's other name":  {config.Auth{OAuth2Issuer: "https://github.com/login/oauth"}, []string{"oauth2_introspection_client_id"}},
		"GitHub half a client": {config.Auth{OAuth2Issuer: "https://github.com/", OAuth2IntrospectionClientID: "x"}, []string{"oauth2_introspection_client_secret"}},
		"http issuer":          {config.Auth{OAuth2Issuer: "http://x.example"}, []string{"oauth2_issuer", "https"}},
		"http endpoint":        {config.Auth{OAuth2IntrospectionEndpoint: "http://x.example"}, []string{"oauth2_introspection_endpoint"}},
		"any and more":         {config.Auth{OAuth2Issuer: "https://x", OAuth2Audience: []string{"any", "x"}}, []string{"excludes other values"}},
		"scope with a space":   {config.Auth{OAuth2Issuer: "https://x", OAuth2RequiredScopes: []string{"a b"}}, []string{"oauth2_required_scopes"}},
		"client for nothing": {config.Auth{OAuth2Issuer: "https://x", OAuth2IntrospectionClientID: "x", OAuth2IntrospectionClientSecret: "y"},
			[]string{"oauth2_introspection_endpoint"}},
	} {
		test.cfg.Method = config.AuthOAuth2Bearer
		_, err := New(test.cfg, Env{Resource: resource})
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error about %s", name, err, want)
			}
		}
	}
	if _, err := New(config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://x"}, Env{}); err == nil {
		t.Error("no audience: accepted")
	}
}

func TestAcceptingAnyAudienceIsLogged(t *testing.T) {
	t.Parallel()
	l := &log{}
	newGuard(t, config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://github.com", OAuth2Audience: []string{"any"}},
		Env{Logger: slog.New(slog.NewTextHandler(l, nil))})
	if !strings.Contains(l.String(), "does not conform") {
		t.Errorf("log: %s", l)
	}
}
