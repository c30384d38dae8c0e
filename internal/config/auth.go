package config

import (
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// An authKey is a key of "auth": how it is read, and the methods that it belongs to; none for all.
type authKey struct {
	read   func(member) error
	owners []AuthMethod
}

// keys are all of them.
func (a *Auth) keys() map[string]authKey {
	azure := []AuthMethod{AuthAzureDefault, AuthAzureOBO}
	return map[string]authKey{
		"method":             {readElsewhere, nil}, // see authMethod
		"forward_user_token": {to(&a.ForwardUserToken, node.flag), nil},
		"allow_public":       {to(&a.AllowPublic, node.flag), []AuthMethod{AuthNone}},

		"azure_client_id": {to(&a.AzureClientID, node.guid), azure},
		"azure_tenant_id": {to(&a.AzureTenantID, node.guid), azure},
		"azure_scopes":    {to(&a.AzureScopes, node.words), azure},
		"azure_authority": {to(&a.AzureAuthority, node.issuer), azure},

		"azure_client_secret":      {to(&a.AzureClientSecret, node.filled), azure[1:]},
		"azure_allowed_tenants":    {to(&a.AzureAllowedTenants, guids("*")), azure[1:]},
		"azure_allowed_client_ids": {to(&a.AzureAllowedClientIDs, guids("")), azure[1:]},
		"azure_required_scopes":    {to(&a.AzureRequiredScopes, node.words), azure[1:]},

		"oauth2_issuer":                      {to(&a.OAuth2Issuer, node.issuer), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_audience":                    {to(&a.OAuth2Audience, node.oneOrMore), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_required_scopes":             {to(&a.OAuth2RequiredScopes, node.words), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_jwks_uri":                    {to(&a.OAuth2JWKSURI, node.endpoint), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_introspection_endpoint":      {to(&a.OAuth2IntrospectionEndpoint, node.endpoint), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_introspection_client_id":     {to(&a.OAuth2IntrospectionClientID, node.filled), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_introspection_client_secret": {to(&a.OAuth2IntrospectionClientSecret, node.filled), []AuthMethod{AuthOAuth2Bearer}},
		"oauth2_scope_implies":               {to(&a.OAuth2ScopeImplies, node.implications), []AuthMethod{AuthOAuth2Bearer}},
	}
}

// defaultAzureScope is what the reference adapter asks for when azure_scopes is absent.
const defaultAzureScope = "https://management.azure.com/.default"

// auth reads "auth". It is stricter than the rest of the file, since what is skipped here leaves a
// server unguarded: a key that is not known, or that another method reads, is an error, and so is a
// block that names no method.
//
// For azure_obo the tenant may be absent, as the reference adapter's own example has none, and so
// may the secret, in whose place a federated credential can stand: the runtime then looks for
// AZURE_TENANT_ID and for the credential, and refuses to start without. For oauth2_bearer the
// runtime decides what proves the audience of an opaque token.
func (p *parser) auth(n node) (Auth, error) {
	members, err := n.members()
	if err != nil {
		return Auth{}, err
	}
	a := Auth{Line: n.line()}
	if a.Method, err = authMethod(n, members); err != nil {
		return Auth{}, err
	}
	keys := a.keys()
	for _, m := range members {
		key, known := keys[m.name]
		switch {
		case !known:
			return Auth{}, unknownKey(m, slices.Sorted(maps.Keys(keys)))
		case key.owners != nil && !slices.Contains(key.owners, a.Method):
			return Auth{}, m.at.fail("is a key of the method %s, not of %q", enumerate(key.owners), a.Method).
				hint("remove it, or change the method")
		case m.null():
			continue
		}
		if err := key.read(m); err != nil {
			return Auth{}, err
		}
		p.secretInFile(m)
	}
	if err := a.check(n, members); err != nil {
		return Auth{}, err
	}
	if _, written := find(members, "azure_scopes"); a.Method == AuthAzureOBO && !written {
		a.AzureScopes = []string{defaultAzureScope}
	}
	if m, ok := find(members, "forward_user_token"); ok && a.ForwardUserToken {
		p.warn(m.fail("passes the user's token to the server's process").hint("set it to false unless the server needs the token"))
	}
	return a, nil
}

// authMethod reads "method", which must be written out and, once there is a block, must be there.
func authMethod(n node, members []member) (AuthMethod, error) {
	m, ok := find(members, "method")
	if !ok {
		return "", n.missing("method", "is missing").hint(`want one of "none", "azure_default", "azure_obo" or "oauth2_bearer"`)
	}
	m.vars = nil
	return choice(AuthNone, AuthAzureDefault, AuthAzureOBO, AuthOAuth2Bearer)(m.node)
}

// check demands what a method cannot do without, and refuses what goes together with nothing.
func (a *Auth) check(n node, members []member) error {
	if m, ok := find(members, "forward_user_token"); ok && a.ForwardUserToken && (a.Method == AuthNone || a.Method == AuthAzureDefault) {
		return m.fail("cannot be true with the method %q, which does not identify users", a.Method).
			hint("use %q or %q", AuthAzureOBO, AuthOAuth2Bearer)
	}
	switch {
	case a.Method == AuthAzureOBO && a.AzureClientID == "":
		return n.missing("azure_client_id", "is missing, and the method %q needs it", a.Method).
			hint("use the application (client) ID of the app registration that the tokens are for")
	case a.Method == AuthOAuth2Bearer && a.OAuth2Issuer == "":
		return n.missing("oauth2_issuer", "is missing, and the method %q needs it", a.Method)
	case a.OAuth2IntrospectionClientSecret != "" && a.OAuth2IntrospectionClientID == "":
		return n.missing("oauth2_introspection_client_id", "is missing, and oauth2_introspection_client_secret needs it")
	}
	return nil
}

// secretInFile warns of a secret that is written out.
func (p *parser) secretInFile(m member) {
	if strings.HasSuffix(m.name, "_secret") && !strings.Contains(m.written(), "${") {
		p.warn(m.fail("is written in plain text in the file").hint("write ${NAME}, and set NAME as an app setting or Key Vault reference"))
	}
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// guid reads the ID of a tenant or of an app. A domain name would not do: tokens carry the ID.
func (n node) guid() (string, error) {
	s, err := n.text()
	if err == nil && !n.pending(s) && !guid.MatchString(s) {
		return "", n.fail("must be a GUID, such as 00000000-0000-0000-0000-000000000000")
	}
	return s, err
}

// guids reads a list of IDs that is not empty, or one that holds nothing but the wildcard.
func guids(wildcard string) func(node) ([]string, error) {
	return func(n node) ([]string, error) {
		list, err := n.words()
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, n.fail("must not be an empty list, which would admit nobody").hint("remove the key, or name at least one caller")
		}
		for _, s := range list {
			if s == wildcard && len(list) == 1 || n.pending(s) || guid.MatchString(s) {
				continue
			}
			e := n.fail("must be a list of GUIDs")
			if wildcard != "" {
				e.hint("[%q] alone means any", wildcard)
			}
			return nil, e
		}
		return list, nil
	}
}

// issuer reads an https URL without query and fragment (RFC 8414, section 2).
func (n node) issuer() (string, error) { return n.secureURL("?#", "user, query and fragment") }

// endpoint reads an https URL; some providers give theirs a query.
func (n node) endpoint() (string, error) { return n.secureURL("#", "user and fragment") }

// secureURL reads an https URL. On a loopback address http passes here; whether it may be used is
// for the runtime to say.
func (n node) secureURL(marks, without string) (string, error) {
	s, err := n.filled()
	if err != nil || n.pending(s) {
		return s, err
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, marks+" ") ||
		u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return "", n.fail("must be an https URL without %s", without)
	}
	return s, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// oneOrMore reads a string, or a list of them that is not empty.
func (n node) oneOrMore() ([]string, error) {
	if n.val.Value.Kind() == '"' {
		s, err := n.filled()
		return []string{s}, err
	}
	list, err := n.words()
	if err == nil && len(list) == 0 {
		return nil, n.fail("must not be an empty list")
	}
	return list, err
}

// implications reads which scopes a scope holds.
func (n node) implications() (map[string][]string, error) {
	members, err := n.members()
	if err != nil {
		return nil, err
	}
	implied := make(map[string][]string, len(members))
	for _, m := range members {
		if implied[m.name], err = m.words(); err != nil {
			return nil, err
		}
	}
	return implied, nil
}
