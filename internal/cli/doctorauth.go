package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/spf13/cobra"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
)

type doctorAuthOptions struct{ clientOptions }

func newDoctorAuthCommand(env *Env, run func(context.Context, *Env, *doctorAuthOptions) error) *cobra.Command {
	opts := &doctorAuthOptions{}
	cmd := &cobra.Command{
		Use:   "auth URL|SERVER",
		Short: "Follow a client's way to a token, step by step",
		Long: `Ask a running server as an MCP client does that has no token yet, and follow
what it says: the challenge, the resource's metadata, its issuers, their keys.
Each step is ok or says the hint. With a token the command also says what the
server makes of it, and why. The token goes to the server alone and is not
printed.`,
		Example: `  mcpfunc doctor auth https://my-app.azurewebsites.net/api/mcp
  mcpfunc doctor auth time --token "$(az account get-access-token --scope api://APP/.default --query accessToken -o tsv)"`,
		Args: usualArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Target = args[0]
			return run(cmd.Context(), env, opts)
		},
	}
	opts.bind(cmd)
	cmd.Flags().Lookup("json").Usage = "print a list of objects"
	return cmd
}

func runDoctorAuth(ctx context.Context, env *Env, opts *doctorAuthOptions) error {
	endpoint, err := opts.endpoint()
	if err != nil {
		return err
	}
	header, err := opts.header(env)
	if err != nil {
		return err
	}
	ctx, cancel := opts.deadline(ctx)
	defer cancel()
	token := strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	header.Del("Authorization") // the discovery is that of a client without a token
	d := &discovery{ctx: ctx, endpoint: endpoint, header: header}
	d.follow()
	if token != "" && d.asks {
		d.try(token)
	}
	return report(env, d.checks, false, opts.JSON)
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
func (d *discovery) refused(a *webAnswer) bool {
	switch {
	case a.status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") != "":
		d.asks = true
		d.ok("endpoint", "answers 401 to a request without a token")
	case a.status == http.StatusUnauthorized:
		d.fail("endpoint", "the Functions host asks for a key before the app can say where tokens come from: run mcpfunc generate, which "+
			"gives a server that checks tokens the auth level anonymous, or send the key by --header x-functions-key:KEY",
			"answers 401 without a challenge")
	case a.status == http.StatusOK:
		d.ok("endpoint", "asks for no token: whoever reaches it may use it")
	case a.status >= 300 && a.status < 400:
		d.fail("endpoint", "use the address that it redirects to", "redirects to %s", a.header.Get("Location"))
	case a.status == http.StatusNotFound:
		d.fail("endpoint", `"mcpfunc list" shows the servers of a project and their paths`, "answers 404")
	default:
		d.fail("endpoint", "the app's log says why", "answers %d %s", a.status, reasonIn(a.body))
	}
	return d.asks
}

// challenge reads the WWW-Authenticate header and returns where it says that the metadata are.
func (d *discovery) challenge(a *webAnswer) (metadataURL string) {
	challenges, err := oauthex.ParseWWWAuthenticate(a.header.Values("WWW-Authenticate"))
	i := slices.IndexFunc(challenges, func(c oauthex.Challenge) bool { return c.Scheme == "bearer" })
	switch {
	case err != nil:
		d.fail("challenge", "", "WWW-Authenticate: %v", err)
		return ""
	case i < 0:
		d.fail("challenge", "something before the app answers: a gateway, or App Service authentication", "no challenge of scheme Bearer")
		return ""
	}
	params := challenges[i].Params
	if metadataURL = params["resource_metadata"]; metadataURL == "" {
		d.fail("challenge", "set runtime.public_url, or WEBSITE_HOSTNAME; clients of 2025-06-18 look nowhere else", "names no resource_metadata")
		return ""
	}
	d.ok("challenge", "resource_metadata %s, scope %q", metadataURL, params["scope"])
	return metadataURL
}

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
			d.fail(way.name, "clients refuse metadata of another address: set runtime.public_url to the address that they use", "%s is of the resource %s", way.url, m.Resource)
		case len(m.AuthorizationServers) == 0:
			d.fail(way.name, "set oauth2_issuer", "%s names no authorization server", way.url)
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
	const hint = "is the issuer right, and can it be reached from here?"
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
		d.fail(name, "the issuer must be written as its own metadata have it, to the last slash", "calls itself %s", m.Issuer)
		return
	case m.AuthorizationEndpoint == "":
		d.fail(name, "", "has no authorization_endpoint, so no client can sign in there")
	default:
		var notes []string
		if m.Registration == "" {
			notes = append(notes, "clients must be registered beforehand")
		}
		if !slices.Contains(m.ChallengeMethods, "S256") {
			notes = append(notes, "announces no PKCE, which some clients insist on")
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
		d.fail("keys of "+issuer, "", "%s has no key to check a signature with", m.JWKSURI)
		return
	}
	d.keys[issuer] = keys
	d.ok("keys of "+issuer, "%s", count(len(keys.Keys), "key"))
}

// issuerPlaces lists where an issuer's metadata may be, in the order of the MCP specification
// (2025-11-25, "Authorization Server Metadata Discovery").
func issuerPlaces(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is no URL", issuer)
	}
	const oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	root, path := u.Scheme+"://"+u.Host, strings.TrimRight(u.EscapedPath(), "/")
	if path == "" {
		return []string{root + oauth, root + openid}, nil
	}
	return []string{root + oauth + path, root + openid + path, root + path + openid}, nil
}

// A webAnswer is an HTTP answer, as much of it as matters.
type webAnswer struct {
	status int
	header http.Header
	body   []byte
}

// answerLimit bounds what is read of an answer, in bytes.
const answerLimit = 1 << 20

// call sends the first message of a session, and ends the session that it may have opened.
func (d *discovery) call(token string) (*webAnswer, error) {
	const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},` +
		`"clientInfo":{"name":"mcpfunc-doctor","version":"1"}}}`
	header := d.header.Clone()
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	a, err := d.send(http.MethodPost, d.endpoint.String(), initialize, header)
	if err == nil && a.header.Get("Mcp-Session-Id") != "" {
		header.Set("Mcp-Session-Id", a.header.Get("Mcp-Session-Id"))
		_, _ = d.send(http.MethodDelete, d.endpoint.String(), "", header) // it idles out otherwise
	}
	return a, err
}

// document gets a JSON document.
func (d *discovery) document(address string, into any) error {
	if _, err := parseHTTPURL(address); err != nil {
		return err
	}
	a, err := d.send(http.MethodGet, address, "", http.Header{"Accept": {"application/json"}})
	switch {
	case err != nil:
		return err
	case a.status != http.StatusOK:
		return fmt.Errorf("%s: status %d", address, a.status)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

func (d *discovery) send(method, address, body string, header http.Header) (*webAnswer, error) {
	ctx, cancel := context.WithTimeout(d.ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header.Clone()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			return nil, fmt.Errorf("%s: %w", address, failed.Err)
		}
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &webAnswer{resp.StatusCode, resp.Header, data}, nil
}
