package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// authOwners says which methods a key of "auth" belongs to; nil means all. "method" itself apart,
// what is not here is no key.
var authOwners = map[string][]AuthMethod{
	"forward_user_token": nil,
	"allow_public":       {AuthNone},

	"azure_client_id": {AuthAzureDefault, AuthAzureOBO},
	"azure_tenant_id": {AuthAzureDefault, AuthAzureOBO},
	"azure_scopes":    {AuthAzureDefault, AuthAzureOBO},
	"azure_authority": {AuthAzureDefault, AuthAzureOBO},

	"azure_client_secret":      {AuthAzureOBO},
	"azure_allowed_tenants":    {AuthAzureOBO},
	"azure_allowed_client_ids": {AuthAzureOBO},
	"azure_required_scopes":    {AuthAzureOBO},

	"oauth2_issuer":                      {AuthOAuth2Bearer},
	"oauth2_audience":                    {AuthOAuth2Bearer},
	"oauth2_required_scopes":             {AuthOAuth2Bearer},
	"oauth2_jwks_uri":                    {AuthOAuth2Bearer},
	"oauth2_introspection_endpoint":      {AuthOAuth2Bearer},
	"oauth2_introspection_client_id":     {AuthOAuth2Bearer},
	"oauth2_introspection_client_secret": {AuthOAuth2Bearer},
	"oauth2_scope_implies":               {AuthOAuth2Bearer},
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
	for _, m := range members {
		if err := checkOwner(m, a.Method); err != nil {
			return Auth{}, err
		}
		if m.null() {
			continue
		}
		if err := a.set(m); err != nil {
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
	return choice(m.node, AuthNone, AuthAzureDefault, AuthAzureOBO, AuthOAuth2Bearer)
}

// checkOwner says why a key cannot be used with a method.
func checkOwner(m member, method AuthMethod) error {
	if m.name == "method" {
		return nil
	}
	owners, known := authOwners[m.name]
	if !known {
		keys := []string{"method"}
		for k := range authOwners {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return unknownKey(m, keys)
	}
	if owners == nil || slices.Contains(owners, method) {
		return nil
	}
	names := make([]string, len(owners))
	for i, o := range owners {
		names[i] = string(o)
	}
	return m.at.fail("is a key of the method %s, not of %q", enumerate(names), method).hint("remove it, or change the method")
}

// set reads one key.
func (a *Auth) set(m member) (err error) {
	switch m.name {
	case "forward_user_token":
		a.ForwardUserToken, err = m.flag()
	case "allow_public":
		a.AllowPublic, err = m.flag()
	case "azure_client_id":
		a.AzureClientID, err = m.guid()
	case "azure_client_secret":
		a.AzureClientSecret, err = m.filled()
	case "azure_tenant_id":
		a.AzureTenantID, err = m.guid()
	case "azure_allowed_tenants":
		a.AzureAllowedTenants, err = m.guids("*")
	case "azure_allowed_client_ids":
		a.AzureAllowedClientIDs, err = m.guids("")
	case "azure_required_scopes":
		a.AzureRequiredScopes, err = m.words()
	case "azure_scopes":
		a.AzureScopes, err = m.words()
	case "azure_authority":
		a.AzureAuthority, err = m.issuer()
	case "oauth2_issuer":
		a.OAuth2Issuer, err = m.issuer()
	case "oauth2_audience":
		a.OAuth2Audience, err = m.oneOrMore()
	case "oauth2_required_scopes":
		a.OAuth2RequiredScopes, err = m.words()
	case "oauth2_jwks_uri":
		a.OAuth2JWKSURI, err = m.endpoint()
	case "oauth2_introspection_endpoint":
		a.OAuth2IntrospectionEndpoint, err = m.endpoint()
	case "oauth2_introspection_client_id":
		a.OAuth2IntrospectionClientID, err = m.filled()
	case "oauth2_introspection_client_secret":
		a.OAuth2IntrospectionClientSecret, err = m.filled()
	case "oauth2_scope_implies":
		a.OAuth2ScopeImplies, err = m.implications()
	}
	return err
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
func (n node) guids(wildcard string) ([]string, error) {
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
