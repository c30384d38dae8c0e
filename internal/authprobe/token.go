package authprobe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// try brings a token to the endpoint and explains the answer. The server alone decides: what the
// token says explains a refusal, and is only shown otherwise.
func (d *discovery) try(token string) {
	answer, err := d.call(token)
	if err != nil {
		d.fail("token", "", "%v", err)
		return
	}
	switch answer.status {
	case http.StatusOK:
		d.ok("token", "is accepted")
	case http.StatusServiceUnavailable:
		d.fail("token", "check that the app can reach its issuer; its log says what failed", "was not judged: %s", reason(answer.body))
	default:
		d.fail("token", "see the steps below, or the app's log at the level debug", "is refused: %d %s", answer.status, reason(answer.body))
	}
	d.explain(token, answer.status == http.StatusOK)
}

// tokenClaims are the claims that explain a refusal.
type tokenClaims struct {
	Issuer    string    `json:"iss"`
	Audience  oneOrMore `json:"aud"`
	Expires   float64   `json:"exp"`
	NotBefore float64   `json:"nbf"`
	Scope     oneOrMore `json:"scope"`
	Scp       oneOrMore `json:"scp"`
	Tenant    string    `json:"tid"`
	Version   string    `json:"ver"`
	Type      string    `json:"idtyp"`
}

// oneOrMore is a string, or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}

// explain says what a token says of itself. A difference from what the metadata ask for is a failure
// only if the server did not accept the token: it may be configured to.
func (d *discovery) explain(token string, accepted bool) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA})
	if err != nil {
		if !accepted {
			d.fail("token form", "an opaque token needs oauth2_introspection_endpoint; a JWT must be signed with RS256, ES256, PS256 or EdDSA", "not a JWT")
		}
		return
	}
	var c tokenClaims
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c); err != nil {
		d.fail("token form", "", "its claims are not a JSON object: %v", err)
		return
	}
	say := func(name string, good bool, hint, format string, args ...any) {
		if good || accepted {
			d.ok(name, format, args...)
		} else {
			d.fail(name, hint, format, args...)
		}
	}
	d.signature(signed, c, say)
	now := time.Now()
	expires, notBefore := time.Unix(int64(c.Expires), 0), time.Unix(int64(c.NotBefore), 0)
	say("token time", now.Before(expires) && !now.Before(notBefore), "get a new token", "valid from %s to %s",
		notBefore.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339))
	say("token audience", d.isForUs(c.Audience), "the client must ask for the scope "+d.scopes()+", or for the resource "+d.resource(),
		"for %s", strings.Join(c.Audience, " "))
	missing := d.missing(append(fields(c.Scope), fields(c.Scp)...))
	say("token scopes", len(missing) == 0, "the client must ask for "+d.scopes(), "%q%s", strings.Join(append(fields(c.Scope), fields(c.Scp)...), " "), lacking(missing))
	if c.Type == "app" {
		say("token user", false, "azure_obo needs a signed-in user's token, not one of an application", "an application's")
	}
}

// signature checks issuer and signature.
func (d *discovery) signature(signed *jose.JSONWebSignature, c tokenClaims, say func(string, bool, string, string, ...any)) {
	issuer := d.issuerOf(c)
	say("token issuer", issuer != "", "the token is from another issuer, or from a tenant that is not allowed", "%s", c.Issuer)
	keys, ok := d.keys[issuer]
	if !ok {
		return
	}
	kid := signed.Signatures[0].Protected.KeyID
	good := slices.ContainsFunc(keys.Keys, func(k jose.JSONWebKey) bool {
		if kid != "" && k.KeyID != kid {
			return false
		}
		_, err := signed.Verify(k)
		return err == nil
	})
	how := "by a key of the issuer"
	if !good {
		how = "not by a key of the issuer"
	}
	say("token signature", good, "a token for Microsoft Graph or another Microsoft API can be verified only by that API; any other token is damaged", "%s", how)
}

// issuerOf returns which issuer of the metadata a token says that it comes from, or "". Of Entra's two
// the metadata name the newer one, or one for all tenants.
func (d *discovery) issuerOf(c tokenClaims) string {
	for _, issuer := range d.issuers() {
		ofTenant := c.Tenant != "" && strings.Contains(c.Issuer, c.Tenant)
		if issuer == c.Issuer || ofTenant && (strings.Contains(issuer, c.Tenant) || strings.HasSuffix(issuer, "/organizations/v2.0")) {
			return issuer
		}
	}
	return ""
}

func (d *discovery) issuers() []string {
	if d.metadata == nil {
		return nil
	}
	return d.metadata.AuthorizationServers
}

func (d *discovery) resource() string {
	if d.metadata == nil {
		return d.endpoint.String()
	}
	return d.metadata.Resource
}

func (d *discovery) scopes() string {
	if d.metadata == nil {
		return ""
	}
	return strings.Join(d.metadata.ScopesSupported, " ")
}

// isForUs reports whether an audience is the resource, or the app that its scopes belong to: Entra's
// tokens name that by its URI, or by its bare id.
func (d *discovery) isForUs(audience []string) bool {
	if oauthex.MatchesResource(audience, d.resource()) {
		return true
	}
	for _, scope := range strings.Fields(d.scopes()) {
		if i := strings.LastIndexByte(scope, '/'); i > 0 {
			app := scope[:i]
			if slices.Contains(audience, app) || slices.Contains(audience, strings.TrimPrefix(app, "api://")) {
				return true
			}
		}
	}
	return false
}

// missing lists the scopes that the metadata ask for and granted lacks. A token has the last part of
// an Entra scope, and of .default whatever was consented to.
func (d *discovery) missing(granted []string) (missing []string) {
	for _, scope := range strings.Fields(d.scopes()) {
		short := scope[strings.LastIndexByte(scope, '/')+1:]
		if short != ".default" && !slices.Contains(granted, scope) && !slices.Contains(granted, short) {
			missing = append(missing, short)
		}
	}
	return missing
}

func lacking(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return fmt.Sprintf(", without %q", strings.Join(scopes, " "))
}

// fields splits every entry at its spaces.
func fields(list []string) (all []string) {
	for _, s := range list {
		all = append(all, strings.Fields(s)...)
	}
	return all
}
