package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// anyAudience, written as oauth2_audience, takes tokens that were made for other services. It is
// what MCP forbids, and the only way with providers that know no audiences.
const anyAudience = "any"

// oauth2 guards a server by method oauth2_bearer: the caller has a token of a configured issuer,
// either a JWT, judged by the issuer's keys, or an opaque one, judged by asking the issuer.
type oauth2 struct {
	keys   *keySource // nil: JWTs are judged like opaque tokens
	opaque *verdicts  // nil: only JWTs are accepted

	issuer   string
	audience audiences
	required []string
	implies  map[string][]string
	refuse   refusals
	now      func() time.Time
}

// signatureAlgorithms are what a JWT may be signed with: one of each family.
func signatureAlgorithms() []string { return []string{"RS256", "ES256", "EdDSA", "PS256"} }

func newOAuth2(cfg config.Auth, env Env) (Guard, error) {
	if err := checkOAuth2(cfg, env); err != nil {
		return nil, err
	}
	g := &oauth2{
		issuer:   cfg.OAuth2Issuer,
		audience: audiencesOf(cfg, env),
		required: cfg.OAuth2RequiredScopes,
		implies:  cfg.OAuth2ScopeImplies,
		refuse:   refusals{scope: advertised(cfg.OAuth2RequiredScopes), metadataURL: env.MetadataURL},
		now:      env.Now,
	}
	if g.audience.any && cfg.OAuth2IntrospectionClientSecret == "" {
		env.Logger.Warn("tokens for other services are accepted, which does not conform to MCP", "oauth2_audience", anyAudience)
	}
	fetch := newFetcher(env)
	log := env.Logger
	switch {
	case usesGitHub(cfg):
		g.opaque = newVerdicts(env.Now, newGitHub(cfg, fetch).ask)
		return bearer{g, g.refuse}, nil
	case cfg.OAuth2JWKSURI != "":
		g.keys = newKeySource(cfg.OAuth2Issuer, env, func(ctx context.Context) (keySet, error) {
			return fetch.keys(ctx, cfg.OAuth2JWKSURI, log)
		})
	case cfg.OAuth2IntrospectionEndpoint == "":
		g.keys = newKeySource(cfg.OAuth2Issuer, env, func(ctx context.Context) (keySet, error) {
			return fetch.issuerKeys(ctx, cfg.OAuth2Issuer, log)
		})
	}
	if cfg.OAuth2IntrospectionEndpoint != "" {
		g.opaque = newVerdicts(env.Now, (&introspection{cfg, g.audience, fetch, env.Now}).ask)
	}
	return bearer{g, g.refuse}, nil
}

// checkOAuth2 refuses settings that would leave a token unchecked.
func checkOAuth2(cfg config.Auth, env Env) error {
	hasClient := cfg.OAuth2IntrospectionClientID != "" && cfg.OAuth2IntrospectionClientSecret != ""
	switch {
	case cfg.OAuth2Issuer == "" && cfg.OAuth2IntrospectionEndpoint == "":
		return errors.New("oauth2_bearer has nothing to check a token with: set oauth2_issuer or oauth2_introspection_endpoint")
	case cfg.OAuth2Issuer == "" && cfg.OAuth2JWKSURI != "":
		return errors.New("oauth2_jwks_uri needs oauth2_issuer")
	case usesGitHub(cfg) && !hasClient && !audiencesOf(cfg, env).any:
		return errors.New("GitHub's tokens do not say what they are for: either set oauth2_introspection_client_id and " +
			"oauth2_introspection_client_secret of your OAuth app, so that its tokens only are accepted, or accept every " +
			`GitHub token with "oauth2_audience": "any"`)
	case !usesGitHub(cfg) && hasClient && cfg.OAuth2IntrospectionEndpoint == "":
		return errors.New("oauth2_introspection_client_id needs oauth2_introspection_endpoint")
	case !usesGitHub(cfg) && len(cfg.OAuth2Audience) == 0 && env.Resource == "":
		return errors.New("no audience: set oauth2_audience or the app's public_url")
	}
	for name, u := range map[string]string{
		"oauth2_issuer":                 cfg.OAuth2Issuer,
		"oauth2_jwks_uri":               cfg.OAuth2JWKSURI,
		"oauth2_introspection_endpoint": cfg.OAuth2IntrospectionEndpoint,
	} {
		if u == "" {
			continue
		}
		if err := checkURL(u, env.Development); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, s := range cfg.OAuth2RequiredScopes {
		if !config.IsScope(s) {
			return fmt.Errorf("oauth2_required_scopes: %s is not a scope", printable(s))
		}
	}
	if slices.Contains(cfg.OAuth2Audience, anyAudience) && len(cfg.OAuth2Audience) > 1 {
		return errors.New(`oauth2_audience: "any" excludes other values`)
	}
	return nil
}

// advertised returns the scopes that a client should ask for. A client decides for itself whether
// it wants a refresh token (MCP 2026-07-28, scope selection).
func advertised(required []string) string {
	ask := slices.DeleteFunc(slices.Clone(required), func(s string) bool { return s == "offline_access" })
	return strings.Join(ask, " ")
}

// judge finds out who holds a token, and whether it grants enough.
func (g *oauth2) judge(ctx context.Context, source, raw string) (*Caller, error) {
	caller, err := g.identify(ctx, source, raw)
	if err != nil {
		return nil, err
	}
	if missing := missingScopes(g.required, caller.Scopes, g.implies); len(missing) > 0 {
		return nil, g.refuse.missingScopes(missing)
	}
	return caller, nil
}

func (g *oauth2) identify(ctx context.Context, source, raw string) (*Caller, error) {
	switch {
	case g.keys != nil && looksLikeJWT(raw):
		return g.identifyJWT(ctx, raw)
	case g.opaque != nil:
		return g.opaque.of(ctx, source, raw)
	}
	return nil, errors.New("not a JWT, and no oauth2_introspection_endpoint is set to check other tokens")
}

func (g *oauth2) identifyJWT(ctx context.Context, raw string) (*Caller, error) {
	token, err := parseJWT(raw, signatureAlgorithms())
	if err != nil {
		return nil, err
	}
	if iss, err := token.claims.str("iss"); err != nil || iss != g.issuer {
		return nil, fmt.Errorf("iss is %s, not %s", printable(iss), g.issuer)
	}
	if err := g.audience.check(token.claims); err != nil {
		return nil, err
	}
	issued, expires, err := token.claims.lifetime(g.now(), true)
	if err != nil {
		return nil, err
	}
	k, err := g.keys.key(ctx, token.alg, token.kid)
	if err != nil {
		return nil, err
	}
	if err := token.verify(k); err != nil {
		return nil, err
	}
	caller := &Caller{Token: raw, IssuedAt: issued, Expires: expires, Claims: token.claims}
	if caller.Scopes, err = token.claims.scopes(); err != nil {
		return nil, err
	}
	var clientID string
	err = token.claims.strs(map[string]*string{"sub": &caller.Subject, "azp": &caller.ClientID, "client_id": &clientID})
	if err != nil {
		return nil, err
	}
	if clientID != "" {
		caller.ClientID = clientID // RFC 9068; azp is OpenID Connect's
	}
	if caller.Subject == "" {
		return nil, errors.New("no sub")
	}
	caller.Principal = g.issuer + "\x00" + caller.Subject
	return caller, nil
}

// audiences say for whom a token may have been made.
type audiences struct {
	any      bool
	accepted []string
	resource bool // accepted is our own URI, where a final slash makes no difference
}

func audiencesOf(cfg config.Auth, env Env) audiences {
	switch {
	case slices.Equal(cfg.OAuth2Audience, []string{anyAudience}):
		return audiences{any: true}
	case len(cfg.OAuth2Audience) > 0:
		return audiences{accepted: cfg.OAuth2Audience}
	}
	return audiences{accepted: []string{env.Resource}, resource: true}
}

func (a audiences) check(c claims) error {
	aud, err := c.audience()
	if err != nil || a.any {
		return err
	}
	for _, want := range a.accepted {
		if slices.Contains(aud, want) || a.resource && oauthex.MatchesResource(aud, want) {
			return nil
		}
	}
	return fmt.Errorf("aud %s is not this server", printable(strings.Join(aud, " ")))
}
