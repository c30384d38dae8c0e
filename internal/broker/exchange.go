package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

	// turn is held by whoever asks, so that of two requests for one resource the second finds what
	// the first has brought. What is below is theirs.
	turn      chan struct{}
	assertion string           // the user's token that got was got for
	got       map[string]grant // by resource
}

// A grant is a token that has been got.
type grant struct {
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
// The authority comes from the configuration, so nobody need be asked whether it is one of
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
		x.assertion, x.got = caller.Token, make(map[string]grant)
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
	x.got[resource] = grant{t, result.ExpiresOn}
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
	claims string
}

func (e *interactionError) Unwrap() error { return e.deniedError }

// maxClaims bounds a claims challenge in bytes: it goes into a header.
const maxClaims = 4 << 10

// denial reads the error answer out of what the library returns. What comes back holds nothing else
// that the other side said, unlike the library's errors, which quote whole answers.
func denial(err error, caller *authn.Caller) error {
	var garbled msal.InvalidJsonErr
	if errors.As(err, &garbled) {
		return errors.New("the identity provider answered something that is not JSON")
	}
	var call msal.CallErr
	if !errors.As(err, &call) || call.Resp == nil {
		return err
	}
	if call.Resp.StatusCode < 400 || call.Resp.StatusCode >= 500 {
		return fmt.Errorf("the identity provider answered %d", call.Resp.StatusCode)
	}
	body, readErr := io.ReadAll(call.Resp.Body)
	if readErr != nil {
		return readErr
	}
	var d deniedError
	if json.Unmarshal(body, &d) != nil || !isWord(d.Code) {
		return fmt.Errorf("the identity provider answered %d", call.Resp.StatusCode)
	}
	if !isWord(d.Suberror) {
		d.Suberror = ""
	}
	if !isWord(d.Correlation) {
		d.Correlation = ""
	}
	d.Codes = d.Codes[:min(len(d.Codes), 8)]
	if len(d.Claims) > maxClaims {
		d.Claims = ""
	}
	if d.Code == "interaction_required" || d.Code == "invalid_grant" && d.Claims != "" {
		return &interactionError{&d, caller, d.Claims}
	}
	return &d
}

// isWord reports whether s is what an error code or an id looks like, and short.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
