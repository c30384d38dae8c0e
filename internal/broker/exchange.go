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

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// An exchange gets tokens on behalf of the session's user (Microsoft's "OAuth 2.0 On-Behalf-Of
// flow"). It belongs to one lease: tokens of two users never lie in one place.
type exchange struct {
	clientID   string
	authority  string // https://login.microsoftonline.com
	credential confidential.Credential
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
func newExchange(g Grant, credential confidential.Credential, client *http.Client, now func() time.Time) (*exchange, error) {
	x := &exchange{
		clientID:   g.Auth.AzureClientID,
		authority:  authorityOf(g.Auth, g.Env),
		credential: credential,
		allowed:    resourcesOf(g.Auth.AzureScopes),
		http:       client,
		now:        now,
		turn:       make(chan struct{}, 1),
	}
	_, err := x.newClient("organizations") // what is wrong with the authority shows now
	return x, err
}

// newClient returns a client for one exchange. The library's clients keep the tokens of every
// assertion that they have seen, and refresh tokens, which they prefer to the assertion; here the
// user's own token alone counts, and what came of an old one is dropped with it. The price is that
// the tenant's metadata are read each time.
//
// The authority comes from the configuration, so there is no need to ask whether it is one of
// Microsoft's, which instance discovery is for.
func (x *exchange) newClient(tenant string) (confidential.Client, error) {
	client, err := confidential.New(x.authority+"/"+tenant, x.clientID, x.credential,
		confidential.WithHTTPClient(x.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return client, fmt.Errorf("exchange tokens at %s: %w", x.authority, err)
	}
	return client, nil
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
	client, err := x.newClient(caller.TenantID)
	if err != nil {
		return nil, err
	}
	result, err := client.AcquireTokenOnBehalfOf(ctx, caller.Token, scopes)
	if err != nil {
		return nil, denial(err, caller)
	}
	t := &token{
		AccessToken: result.AccessToken,
		ExpiresOn:   strconv.FormatInt(result.ExpiresOn.Unix(), 10),
		Resource:    resource,
		TokenType:   "Bearer",
		ClientID:    x.clientID,
	}
	x.got[resource] = exchanged{t, result.ExpiresOn}
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

// denial turns an error of the library into one that can be logged. The library's own quote whole
// answers, in which there may be anything.
func denial(err error, caller *authn.Caller) error {
	var answered msal.CallErr
	var network *url.Error
	switch {
	case errors.Is(err, errAssertion):
		return err // nothing was asked
	case errors.As(err, &answered) && answered.Resp != nil:
		return readDenial(answered.Resp, caller)
	case errors.As(err, &network):
		return network
	}
	return errors.New("the identity provider's answer is not a token")
}

func readDenial(resp *http.Response, caller *authn.Caller) error {
	unreadable := fmt.Errorf("the identity provider answered with status %d", resp.StatusCode)
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		return unreadable
	}
	var d deniedError
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || !isCode(d.Code) {
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
