package authn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// consumerTenant is the tenant of personal Microsoft accounts. It signs with keys of its own.
const consumerTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// entra guards a server by method azure_obo: the caller is a user of Microsoft Entra ID who has a
// token for this app. The rules are those of Microsoft's "Access tokens" and "Validate claims"
// pages, and of the on-behalf-of flow, which this token will go into.
type entra struct {
	*entraSettings
	clients []string              // nil means all
	sources map[string]*keySource // by issuer; not changed once made
	refuse  refusals
	now     func() time.Time
}

func newEntra(cfg config.Auth, env Env) (Guard, error) {
	s, err := entraSettingsOf(cfg, env)
	if err != nil {
		return nil, err
	}
	g := &entra{
		entraSettings: s,
		clients:       lower(cfg.AzureAllowedClientIDs),
		sources:       make(map[string]*keySource),
		refuse:        refusals{scope: s.scope, metadataURL: env.MetadataURL},
		now:           env.Now,
	}
	fetch := newFetcher(env)
	for _, tenant := range s.keyTenants() {
		for _, version := range []string{entraV1, entraV2} {
			issuer := s.cloud.issuer(version, tenant)
			discovery := s.cloud.discovery(version, tenant)
			g.sources[issuer] = newKeySource(issuer, env, func(ctx context.Context) (keySet, error) {
				return fetch.discoveredKeys(ctx, discovery, issuer, env.Logger)
			})
		}
	}
	return bearer{g, g.refuse}, nil
}

// judge looks first at all that a token says, against the configuration; then, for tokens of
// permitted tenants only, at its signature; and then at what its user may do. Only the last step
// can answer 403, as what an unsigned token says is worth nothing.
func (g *entra) judge(ctx context.Context, _, raw string) (*Caller, error) {
	token, err := parseJWT(raw, []string{"RS256"})
	if err != nil {
		return nil, err
	}
	if _, ok := token.header["nonce"]; ok {
		return nil, fmt.Errorf("a token for Microsoft Graph or another Microsoft API, not for this app; ask for %s", g.scope)
	}
	caller, id, err := g.read(token.claims)
	if err != nil {
		return nil, err
	}
	if err := g.verify(ctx, token, id); err != nil {
		return nil, err
	}
	if err := g.authorize(token.claims, caller); err != nil {
		return nil, err
	}
	caller.Token = raw
	return caller, nil
}

// identity is who a token says it comes from.
type identity struct {
	version, tenant, issuer string
}

// read checks every claim that does not need a signature to be wrong.
func (g *entra) read(c claims) (*Caller, identity, error) {
	caller := &Caller{Claims: c}
	var id identity
	var azp, appid string
	err := c.strs(map[string]*string{
		"ver": &id.version, "tid": &id.tenant, "iss": &id.issuer, "azp": &azp, "appid": &appid,
		"sub": &caller.Subject, "oid": &caller.ObjectID,
	})
	if err != nil {
		return nil, id, err
	}
	switch id.version {
	case entraV1:
		caller.ClientID = appid
	case entraV2:
		caller.ClientID = azp
	default:
		return nil, id, fmt.Errorf("ver is %s", printable(id.version))
	}
	if !guid.MatchString(id.tenant) {
		return nil, id, fmt.Errorf("tid %s is not a GUID", printable(id.tenant))
	}
	if g.tenants != nil && !slices.Contains(g.tenants, id.tenant) {
		return nil, id, fmt.Errorf("tenant %s is not allowed", id.tenant)
	}
	if want := g.cloud.issuer(id.version, id.tenant); id.issuer != want {
		return nil, id, fmt.Errorf("iss is %s, not %s", printable(id.issuer), want)
	}
	audience, err := c.audience()
	if err != nil {
		return nil, id, err
	}
	if !slices.ContainsFunc(audience, func(aud string) bool { return slices.Contains(g.audiences, aud) }) {
		return nil, id, fmt.Errorf("aud %s is not this app; the client has to ask for %s",
			printable(strings.Join(audience, " ")), g.scope)
	}
	if caller.IssuedAt, caller.Expires, err = c.lifetime(g.now(), true); err != nil {
		return nil, id, err
	}
	caller.TenantID = id.tenant
	return caller, id, nil
}

// verify checks the signature, with a key that the issuer's own metadata names.
func (g *entra) verify(ctx context.Context, token *accessToken, id identity) error {
	if token.kid == "" {
		return errors.New("no kid")
	}
	source, common := g.sources[id.issuer], false
	if source == nil {
		source, common = g.sources[g.cloud.issuer(id.version, tenantTemplate)], true
	}
	k, err := source.key(ctx, token.alg, token.kid)
	if err != nil {
		return err
	}
	if err := g.checkKeyIssuer(k, id, common); err != nil {
		return err
	}
	return token.verify(k)
}

// checkKeyIssuer keeps a key to the tenants that it is for. In the common key set each key says
// whose it is; in a tenant's own set it may. The key sets of both token versions name the issuer in
// its v2.0 form, so either form of the right tenant will do.
func (g *entra) checkKeyIssuer(k key, id identity, common bool) error {
	if k.issuer == "" && !common {
		return nil
	}
	issuer := k.issuer
	if id.tenant != consumerTenant {
		issuer = strings.ReplaceAll(issuer, tenantTemplate, id.tenant)
	}
	if issuer != g.cloud.issuer(entraV1, id.tenant) && issuer != g.cloud.issuer(entraV2, id.tenant) {
		return fmt.Errorf("key %s is of issuer %s, not of tenant %s", printable(k.id), printable(k.issuer), id.tenant)
	}
	return nil
}

// authorize decides what the bearer of a verified token may do, and completes caller.
func (g *entra) authorize(c claims, caller *Caller) error {
	idtyp, err := c.str("idtyp")
	if err != nil {
		return err
	}
	if caller.Scopes, err = c.scopes(); err != nil {
		return err
	}
	_, hasRoles := c["roles"]
	switch {
	case idtyp == "app", len(caller.Scopes) == 0 && hasRoles:
		// On-behalf-of works for users only.
		return NotAllowed("A token of a signed-in user is required, not one of an application")
	case len(caller.Scopes) == 0:
		return errors.New("no scp: not an access token")
	case caller.ObjectID == "":
		return errors.New("no oid")
	case len(g.clients) > 0 && !slices.Contains(g.clients, caller.ClientID):
		return NotAllowed("This client application may not be used with this server")
	}
	if missing := missingScopes(g.required, caller.Scopes, nil); len(missing) > 0 {
		return g.refuse.missingScopes(missing)
	}
	// Tenant and object id are what Microsoft says identifies a user; names and addresses change.
	caller.Principal = caller.TenantID + "\x00" + caller.ObjectID
	return nil
}
