// Package authprobe goes a client's way to a token: it asks an endpoint as an MCP client does that has
// no token yet, follows what it is told, and explains what the endpoint makes of a token.
package authprobe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

// Probe follows endpoint's challenge to the resource's metadata, its issuers and their keys, and returns
// a finding for each step, up to the one behind which nothing follows. If token is not empty and the
// endpoint asks for one, findings say what the endpoint makes of it, and why.
//
// The header goes to the endpoint alone, and so does the token, which no finding holds. The endpoint
// sees at most two initialize requests, whose sessions are ended at once. A request gets a minute.
func Probe(ctx context.Context, endpoint *url.URL, header http.Header, token string) []doctor.Finding {
	d := &discovery{ctx: ctx, endpoint: endpoint, header: header}
	d.follow()
	if token != "" && d.asks {
		d.try(token)
	}
	return d.checks
}

// A discovery is a client's way from an endpoint to where its tokens come from (MCP 2025-11-25,
// "Authorization Server Discovery"). Its steps write to checks, and stop where nothing follows.
type discovery struct {
	ctx      context.Context
	endpoint *url.URL
	header   http.Header // for the endpoint alone
	checks   []doctor.Finding

	asks     bool // the endpoint wants a token
	metadata *oauthex.ProtectedResourceMetadata
	keys     map[string]jose.JSONWebKeySet // by issuer
}

func (d *discovery) ok(name, format string, args ...any) {
	d.checks = append(d.checks, doctor.Finding{Name: name, Status: doctor.OK, Detail: fmt.Sprintf(format, args...)})
}

func (d *discovery) fail(name, hint, format string, args ...any) {
	d.checks = append(d.checks, doctor.Finding{Name: name, Status: doctor.Fail, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

// follow goes the whole way without a token.
func (d *discovery) follow() {
	answer, err := d.call("")
	if err != nil {
		d.fail("endpoint", `"mcpfunc dev" serves a project; on Azure the first request may take a minute`, "%v", err)
		return
	}
	if !d.refused(answer) {
		return
	}
	announced := d.challenge(answer)
	d.documents(announced)
	if d.metadata == nil {
		return
	}
	d.keys = map[string]jose.JSONWebKeySet{}
	for _, issuer := range d.metadata.AuthorizationServers {
		d.issuer(issuer)
	}
}

// refused reports whether the endpoint asks for a token, as a guarded server does.
func (d *discovery) refused(a *answer) bool {
	switch {
	case a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") != "":
		d.asks = true
		d.ok("endpoint", "answers 401 to a request without a token")
	case a.status == http.StatusUnauthorized:
		d.fail("endpoint", "the Functions host requires a key before the app can say where tokens come from: run mcpfunc generate, which "+
			"sets the auth level anonymous for a server that checks tokens, or send the key with --header x-functions-key:KEY",
			"answers 401 without a challenge")
	case a.status == http.StatusOK:
		d.ok("endpoint", "does not require a token: anyone who reaches it may use it")
	case a.status >= 300 && a.status < 400:
		d.fail("endpoint", "use the address that it redirects to", "redirects to %s", a.header.Get("Location"))
	case a.status == http.StatusNotFound:
		d.fail("endpoint", `"mcpfunc list" shows the servers of a project and their paths`, "answers 404")
	default:
		d.fail("endpoint", "see the app's log", "answers %d %s", a.status, reason(a.body))
	}
	return d.asks
}

// challenge reads the WWW-Authenticate header and returns where it says that the metadata are.
func (d *discovery) challenge(a *answer) (metadataURL string) {
	challenges, err := oauthex.ParseWWWAuthenticate(a.header.Values("WWW-Authenticate"))
	i := slices.IndexFunc(challenges, func(c oauthex.Challenge) bool { return c.Scheme == "bearer" })
	switch {
	case err != nil:
		d.fail("challenge", "", "WWW-Authenticate: %v", err)
		return ""
	case i < 0:
		d.fail("challenge", "something in front of the app answers: a gateway, or App Service authentication", "no challenge with the scheme Bearer")
		return ""
	}
	params := challenges[i].Params
	if metadataURL = params["resource_metadata"]; metadataURL == "" {
		d.fail("challenge", "set runtime.public_url, or WEBSITE_HOSTNAME; clients of 2025-06-18 do not look elsewhere", "does not name resource_metadata")
		return ""
	}
	d.ok("challenge", "resource_metadata %s, scope %q", metadataURL, params["scope"])
	return metadataURL
}
