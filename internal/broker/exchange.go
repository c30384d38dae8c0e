package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An exchange gets tokens on behalf of the session's user (Microsoft's "OAuth 2.0 On-Behalf-Of
// flow"). It belongs to one lease: tokens of two users never lie in one place.
type exchange struct {
	clientID   string
	authority  string // https://login.microsoftonline.com
	credential credential
	allowed    resources
	http       *http.Client
	now        func() time.Time

	// turn is held by the caller that asks, so that of two requests for one resource the second finds what
	// the first has brought. What is below is theirs.
	turn      chan struct{}
	assertion string               // the user's token that got was got for
	got       map[string]exchanged // by resource
}

// An exchanged token is kept until shortly before its end.
type exchanged struct {
	token   *token
	expires time.Time
}

// renewal is how long before its end a token is not given out any more. The SDKs renew theirs as
// early, and would otherwise come back for the same one.
const renewal = 5 * time.Minute

// newExchange returns the source for a server of method azure_obo.
func newExchange(g Grant, c credential, client *http.Client, now func() time.Time) (*exchange, error) {
	authority := authorityOf(g.Auth, g.Env)
	if u, err := url.Parse(authority); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("exchange tokens: invalid authority %q: want https://HOST", authority)
	}
	return &exchange{
		clientID:   g.Auth.AzureClientID,
		authority:  authority,
		credential: c,
		allowed:    resourcesOf(g.Auth.AzureScopes),
		http:       client,
		now:        now,
		turn:       make(chan struct{}, 1),
	}, nil
}

// authorityOf returns the base URL of the cloud, as the server's guard understands it.
func authorityOf(auth config.Auth, env authn.Env) string {
	authority := cmp.Or(auth.AzureAuthority, env.AuthorityHost, "https://login.microsoftonline.com")
	if !strings.Contains(authority, "://") {
		authority = "https://" + authority
	}
	return strings.TrimRight(authority, "/")
}

func (x *exchange) token(ctx context.Context, newest func() (*authn.Caller, error), resource string) (*token, error) {
	scopes, err := x.allowed.scopes(resource)
	if err != nil {
		return nil, err
	}
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	caller, err := newest()
	if err != nil {
		return nil, err
	}
	if x.assertion != caller.Token {
		x.assertion, x.got = caller.Token, make(map[string]exchanged)
	}
	if g, ok := x.got[resource]; ok && x.now().Add(renewal).Before(g.expires) {
		return g.token, nil
	}
	result, err := x.ask(ctx, caller, scopes)
	if err != nil {
		return nil, err
	}
	t := &token{
		AccessToken: result.AccessToken,
		ExpiresOn:   strconv.FormatInt(result.Expiry.Unix(), 10),
		Resource:    resource,
		TokenType:   "Bearer",
		ClientID:    x.clientID,
	}
	x.got[resource] = exchanged{t, result.Expiry}
	return t, nil
}

// ask exchanges the caller's token. The request differs from one for the app's own token by its grant and the
// token that it carries. It does not ask for a refresh token: without the user's token, there is nothing to get.
func (x *exchange) ask(ctx context.Context, caller *authn.Caller, scopes []string) (*oauth2.Token, error) {
	params, err := x.credential(ctx)
	if err != nil {
		return nil, err
	}
	params.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
	params.Set("requested_token_use", "on_behalf_of")
	params.Set("assertion", caller.Token)
	request := clientcredentials.Config{
		ClientID:       x.clientID,
		TokenURL:       x.authority + "/" + url.PathEscape(caller.TenantID) + "/oauth2/v2.0/token",
		Scopes:         scopes,
		EndpointParams: params,
		AuthStyle:      oauth2.AuthStyleInParams,
	}
	t, err := request.Token(context.WithValue(ctx, oauth2.HTTPClient, x.http))
	if err != nil {
		return nil, denial(err, caller)
	}
	if t.Expiry.IsZero() {
		return nil, errNoToken
	}
	return t, nil
}

// A deniedError is the identity provider's no. It has none of the free text that came with it, as
// that may repeat what we sent; Microsoft's documentation explains the codes.
type deniedError struct {
	Code        string `json:"error"`
	Codes       []int  `json:"error_codes"`
	Suberror    string `json:"suberror"`
	Correlation string `json:"correlation_id"`
	Claims      string `json:"claims"`
}

func (e *deniedError) Error() string {
	var b strings.Builder
	b.WriteString("the identity provider answered " + e.Code)
	for _, c := range e.Codes {
		fmt.Fprintf(&b, ", AADSTS%d", c)
	}
	if e.Correlation != "" {
		b.WriteString(", correlation id " + e.Correlation)
	}
	return b.String()
}

// An interactionError is a no that the user can turn into a yes, by signing in again with claims.
type interactionError struct {
	*deniedError
	caller *authn.Caller
}

func (e *interactionError) Unwrap() error { return e.deniedError }

// maxClaims bounds a claims challenge in bytes: it goes into a header.
const maxClaims = 4 << 10

var errNoToken = errors.New("the identity provider's answer is not a token")

// denial turns an error of the library into one that can be logged. The library's own quote whole
// answers, in which there may be anything.
func denial(err error, caller *authn.Caller) error {
	if network, ok := errors.AsType[*url.Error](err); ok {
		return network
	}
	answered, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return errNoToken
	}
	status := answered.Response.StatusCode
	unreadable := fmt.Errorf("the identity provider answered with status %d", status)
	if status < 400 || status >= 500 {
		return unreadable
	}
	var d deniedError
	if err := json.Unmarshal(answered.Body, &d); err != nil || !isCode(d.Code) {
		return unreadable
	}
	if !isCode(d.Suberror) {
		d.Suberror = ""
	}
	if !isID(d.Correlation) {
		d.Correlation = ""
	}
	d.Codes = d.Codes[:min(len(d.Codes), 8)]
	if len(d.Claims) > maxClaims {
		d.Claims = ""
	}
	if d.Code == "interaction_required" || d.Code == "invalid_grant" && d.Claims != "" {
		return &interactionError{&d, caller}
	}
	return &d
}

// isCode reports whether s looks like an error code of OAuth: unlike any secret.
func isCode(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// isID reports whether s looks like a correlation id, a GUID.
func isID(s string) bool {
	return len(s) == 36 && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
