package authprobe

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

const wellKnown = "/.well-known/oauth-protected-resource"

// documents gets the metadata of the resource (RFC 9728) by both ways that clients take, and keeps
// them.
func (d *discovery) documents(announced string) {
	placed := d.endpoint.Scheme + "://" + d.endpoint.Host + wellKnown + "/" + strings.Trim(d.endpoint.EscapedPath(), "/")
	for _, way := range []struct{ name, url string }{{"metadata, as announced", announced}, {"metadata, where RFC 9728 puts them", placed}} {
		if way.url == "" {
			continue
		}
		m := new(oauthex.ProtectedResourceMetadata)
		if err := d.document(way.url, m); err != nil {
			d.fail(way.name, "the app must own the site's root: routePrefix \"\" in host.json, and a function for .well-known; run mcpfunc generate", "%v", err)
			continue
		}
		switch {
		case !oauthex.MatchesResource([]string{m.Resource}, d.endpoint.String()):
			d.fail(way.name, "clients refuse metadata of another address: set runtime.public_url to the address that they use", "%s describes the resource %s", way.url, m.Resource)
		case len(m.AuthorizationServers) == 0:
			d.fail(way.name, "set oauth2_issuer", "%s does not name an authorization server", way.url)
		default:
			d.ok(way.name, "scopes %q, issued by %s", strings.Join(m.ScopesSupported, " "), strings.Join(m.AuthorizationServers, " "))
		}
		if d.metadata == nil && len(m.AuthorizationServers) > 0 {
			d.metadata = m
		}
	}
}

// issuer gets the metadata and keys of an authorization server.
func (d *discovery) issuer(issuer string) {
	name := "issuer " + issuer
	const hint = "check that the issuer is right and reachable from here"
	places, err := issuerPlaces(issuer)
	if err != nil {
		d.fail(name, hint, "%v", err)
		return
	}
	var m struct {
		Issuer                string
		JWKSURI               string   `json:"jwks_uri"`
		AuthorizationEndpoint string   `json:"authorization_endpoint"`
		Registration          string   `json:"registration_endpoint"`
		ChallengeMethods      []string `json:"code_challenge_methods_supported"`
	}
	for _, place := range places {
		if err = d.document(place, &m); err == nil {
			break
		}
	}
	switch {
	case err != nil:
		d.fail(name, hint, "no metadata: %v", err)
		return
	case m.Issuer != issuer && !strings.Contains(m.Issuer, "{tenantid}"): // Entra's document for all tenants
		d.fail(name, "write the issuer exactly as its own metadata does, including a final slash", "calls itself %s", m.Issuer)
		return
	case m.AuthorizationEndpoint == "":
		d.fail(name, "", "has no authorization_endpoint, so clients cannot sign in there")
	default:
		var notes []string
		if m.Registration == "" {
			notes = append(notes, "clients must be registered in advance")
		}
		if !slices.Contains(m.ChallengeMethods, "S256") {
			notes = append(notes, "does not announce PKCE, which some clients require")
		}
		d.ok(name, "%s", strings.Join(append([]string{"has metadata"}, notes...), "; "))
	}
	if m.JWKSURI == "" {
		return // its tokens are opaque
	}
	var keys jose.JSONWebKeySet
	if err := d.document(m.JWKSURI, &keys); err != nil {
		d.fail("keys of "+issuer, hint, "%v", err)
		return
	}
	keys.Keys = slices.DeleteFunc(keys.Keys, func(k jose.JSONWebKey) bool { return !k.Valid() || !k.IsPublic() || k.Use == "enc" })
	if len(keys.Keys) == 0 {
		d.fail("keys of "+issuer, "", "%s has no key that can verify a signature", m.JWKSURI)
		return
	}
	d.keys[issuer] = keys
	d.ok("keys of "+issuer, "usable keys: %d", len(keys.Keys))
}

// issuerPlaces lists where an issuer's metadata may be, in the order of the MCP specification
// (2025-11-25, "Authorization Server Metadata Discovery").
func issuerPlaces(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("invalid URL %q", issuer)
	}
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	root, path := u.Scheme+"://"+u.Host, strings.TrimRight(u.EscapedPath(), "/")
	if path == "" {
		return []string{root + oauth, root + openid}, nil
	}
	return []string{root + oauth + path, root + openid + path, root + path + openid}, nil
}
