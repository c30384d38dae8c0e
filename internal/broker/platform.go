package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A platform is the app's managed identity as App Service and Functions offer it. The address and
// the header are read at each use, since the platform may change them.
type platform struct {
	lookup func(string) (string, bool)
	http   *http.Client
}

// setting reads the app's own environment.
func (p platform) setting(name string) string {
	value, _ := p.lookup(name)
	return value
}

// present reports whether the app has an identity.
func (p platform) present() bool {
	return p.setting("IDENTITY_ENDPOINT") != "" && p.setting("IDENTITY_HEADER") != ""
}

// identityToken is a token as the platform answers it.
type identityToken struct {
	AccessToken string      `json:"access_token"`
	ExpiresOn   json.Number `json:"expires_on"` // a number, or one in quotes
	TokenType   string      `json:"token_type"`
	ClientID    string      `json:"client_id"`
}

// maxAnswer bounds an answer of the platform, in bytes; golang.org/x/oauth2 bounds those of Entra by as much.
const maxAnswer = 1 << 20

// ask gets a token for resource: of the identity with the given client id, or of the app's own if
// that is empty.
func (p platform) ask(ctx context.Context, resource, clientID string) (*identityToken, error) {
	u, err := url.Parse(p.setting("IDENTITY_ENDPOINT"))
	if err != nil || !p.present() {
		return nil, errors.New("the app does not have a managed identity endpoint")
	}
	query := u.Query()
	query.Set("resource", resource)
	query.Set("api-version", apiVersion)
	if clientID != "" {
		query.Set("client_id", clientID)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-IDENTITY-HEADER", p.setting("IDENTITY_HEADER"))
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the managed identity endpoint answered with status %d", resp.StatusCode)
	}
	var t identityToken
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&t); err != nil || t.AccessToken == "" {
		return nil, errors.New("the managed identity endpoint's answer is not a token")
	}
	return &t, nil
}

// A delegate gets tokens of the app's own identity, for method azure_default. Which identity that
// is, the configuration says and not the process.
type delegate struct {
	platform
	clientID string
	allowed  resources // nil means all
}

func newDelegate(p platform, auth config.Auth) *delegate {
	d := &delegate{platform: p, clientID: cmp.Or(auth.AzureClientID, p.setting("AZURE_CLIENT_ID"))}
	if len(auth.AzureScopes) > 0 {
		d.allowed = resourcesOf(auth.AzureScopes)
	}
	return d
}

func (d *delegate) token(ctx context.Context, _ func() (*authn.Caller, error), resource string) (*token, error) {
	if d.allowed != nil {
		if _, err := d.allowed.scopes(resource); err != nil {
			return nil, err
		}
	}
	t, err := d.ask(ctx, resource, d.clientID)
	if err != nil {
		return nil, err
	}
	return &token{
		AccessToken: t.AccessToken,
		ExpiresOn:   t.ExpiresOn.String(),
		Resource:    resource,
		TokenType:   cmp.Or(t.TokenType, "Bearer"),
		ClientID:    cmp.Or(t.ClientID, d.clientID),
	}, nil
}

// A credential returns the parameters of a token request with which the app proves itself to Entra.
type credential func(context.Context) (url.Values, error)

// credential returns the app's: its secret, or else a token of its managed identity, which the app
// registration trusts (Microsoft's "Configure an application to trust a managed identity").
func (p platform) credential(g Grant) (credential, error) {
	if secret := g.Auth.AzureClientSecret; secret != "" {
		return func(context.Context) (url.Values, error) { return url.Values{"client_secret": {secret}}, nil }, nil
	}
	if !p.present() {
		return nil, errors.New("neither azure_client_secret nor a managed identity is set")
	}
	audience := exchangeAudience(authorityOf(g.Auth, g.Env))
	return func(ctx context.Context) (url.Values, error) {
		// Only a user-assigned identity has to be named. The setting is the one by which App
		// Service's own authentication is told which.
		t, err := p.ask(ctx, audience, p.setting("OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"))
		if err != nil {
			return nil, fmt.Errorf("client assertion: %w", err)
		}
		return url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, // RFC 7523, section 2.2
			"client_assertion":      {t.AccessToken},
		}, nil
	}, nil
}

// exchangeAudience returns what a managed identity's token must be for to be a client assertion.
func exchangeAudience(authority string) string {
	const public = "api://AzureADTokenExchange"
	switch _, host, _ := strings.Cut(authority, "://"); host {
	case "login.microsoftonline.us":
		return public + "USGov"
	case "login.partner.microsoftonline.cn", "login.chinacloudapi.cn":
		return public + "China"
	}
	return public
}

// HasIdentity reports whether the platform gives the app a managed identity.
func (b *Broker) HasIdentity() bool { return b.identity.present() }

// AppToken returns a token for resource of the app's managed identity, or of the one with a client id if that is
// not empty. It is for the app itself, and no process sees it.
func (b *Broker) AppToken(ctx context.Context, resource, clientID string) (string, error) {
	t, err := b.identity.ask(ctx, resource, clientID)
	if err != nil {
		return "", err
	}
	return t.AccessToken, nil
}
