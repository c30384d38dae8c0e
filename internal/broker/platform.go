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
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// source returns where a server's tokens come from, nil if it gets none from here.
func (b *Broker) source(g Grant) (source, error) {
	identity := platform{lookup: b.lookup, http: b.client}
	switch g.Auth.Method {
	case config.AuthAzureDefault:
		if !identity.present() {
			return nil, nil // a developer's machine: the SDKs find `az login` on their own
		}
		return &delegate{identity, cmp.Or(g.Auth.AzureClientID, identity.setting("AZURE_CLIENT_ID")), allowedIfAny(g.Auth.AzureScopes)}, nil
	case config.AuthAzureOBO:
		credential, err := identity.credential(g)
		if err != nil {
			return nil, err
		}
		return newExchange(g, credential, b.client, b.now)
	}
	return nil, nil
}

// A platform is the app's managed identity as App Service and Functions offer it. The address and
// the header are read at each use, since the platform may change them.
type platform struct {
	lookup func(string) (string, bool)
	http   *http.Client
}

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

// ask gets a token for resource: of the identity with the given client id, or of the app's own if
// that is empty.
func (p platform) ask(ctx context.Context, resource, clientID string) (*identityToken, error) {
	u, err := url.Parse(p.setting("IDENTITY_ENDPOINT"))
	if err != nil || !p.present() {
		return nil, errors.New("the app has no managed identity endpoint")
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
		return nil, fmt.Errorf("the managed identity endpoint answered %d", resp.StatusCode)
	}
	var t identityToken
	if err := json.NewDecoder(resp.Body).Decode(&t); err != nil || t.AccessToken == "" {
		return nil, errors.New("the managed identity endpoint answered something that is no token")
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

func allowedIfAny(scopes []string) resources {
	if len(scopes) == 0 {
		return nil
	}
	return resourcesOf(scopes)
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

// credential returns how the app proves itself to Entra: by its secret, or else by a token of its
// managed identity, which the app registration trusts (Microsoft's "Configure an application to trust
// a managed identity").
func (p platform) credential(g Grant) (confidential.Credential, error) {
	if g.Auth.AzureClientSecret != "" {
		return confidential.NewCredFromSecret(g.Auth.AzureClientSecret)
	}
	if !p.present() {
		return confidential.Credential{}, errors.New("no azure_client_secret, and no managed identity to do without one")
	}
	audience := exchangeAudience(authorityOf(g.Auth, g.Env))
	return confidential.NewCredFromAssertionCallback(func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) {
		// Only a user-assigned identity has to be named. The setting is the one by which App
		// Service's own authentication is told which.
		t, err := p.ask(ctx, audience, p.setting("OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"))
		if err != nil {
			return "", fmt.Errorf("client assertion: %w", err)
		}
		return t.AccessToken, nil
	}), nil
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

// newClient returns the client for everything that the broker asks. It follows no redirect: every
// request carries a secret, and is for the address that was configured.
func newClient(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{
			ForceAttemptHTTP2:     true,
			MaxIdleConns:          16,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: answerTimeout,
		}
	}
	return &http.Client{
		Transport:     bounded{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts answers off at maxAnswer, which leaves JSON that does not parse. The library that
// exchanges tokens reads an answer whole.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// CloseIdleConnections passes on what http.Client asks of its transport.
func (b bounded) CloseIdleConnections() {
	if c, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
