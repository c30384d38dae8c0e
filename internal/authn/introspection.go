package authn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// askPause is the Retry-After when a provider did not answer about one token.
const askPause = 5 * time.Second

// introspection asks an authorization server about a token, by RFC 7662.
type introspection struct {
	cfg      config.Auth // without an issuer, the endpoint identifies it
	audience audiences
	fetch    fetcher
	now      func() time.Time
}

func (i *introspection) ask(ctx context.Context, token string) (*Caller, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.cfg.OAuth2IntrospectionEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if i.cfg.OAuth2IntrospectionClientID != "" {
		// Encoded first: RFC 6749, section 2.3.1.
		req.SetBasicAuth(url.QueryEscape(i.cfg.OAuth2IntrospectionClientID), url.QueryEscape(i.cfg.OAuth2IntrospectionClientSecret))
	}
	r, err := i.fetch.do(req, maxReply)
	if err != nil {
		return nil, unavailable(askPause, err)
	}
	switch {
	case r.status == http.StatusOK:
	case r.status == http.StatusBadRequest && unsupported(r.body):
		return nil, errors.New("the issuer does not introspect tokens of this kind")
	default:
		return nil, unavailable(askPause, &statusError{i.cfg.OAuth2IntrospectionEndpoint, r.status})
	}
	return i.read(r.body)
}

// unsupported reports whether an error answer is about the token, and not about us: some servers
// refuse to introspect their own JWTs, and say so by the code of RFC 7009, section 2.2.1.
func unsupported(body []byte) bool {
	object, err := decodeObject(body)
	return err == nil && object["error"] == "unsupported_token_type"
}

// read judges an answer (RFC 7662, section 2.2). That the token is active is what the server says;
// that it is for us, and still good on our clock, is checked here.
func (i *introspection) read(body []byte) (*Caller, error) {
	object, err := decodeObject(body)
	if err != nil {
		return nil, unavailable(askPause, fmt.Errorf("introspection answer: %w", err))
	}
	c := claims(object)
	if c["active"] != true {
		return nil, errors.New("not active")
	}
	if err := c.checkForm(); err != nil {
		return nil, err
	}
	caller := &Caller{Claims: c}
	var iss, username string
	err = c.strs(map[string]*string{
		"iss": &iss, "sub": &caller.Subject, "username": &username, "client_id": &caller.ClientID,
	})
	if err != nil {
		return nil, err
	}
	if iss != "" && i.cfg.OAuth2Issuer != "" && iss != i.cfg.OAuth2Issuer {
		return nil, fmt.Errorf("iss is %s, not %s", printable(iss), i.cfg.OAuth2Issuer)
	}
	if err := i.audience.check(c); err != nil {
		return nil, err
	}
	if caller.IssuedAt, caller.Expires, err = c.lifetime(i.now(), false); err != nil {
		return nil, err
	}
	if caller.Scopes, err = c.scopes(); err != nil {
		return nil, err
	}
	provider := cmp.Or(i.cfg.OAuth2Issuer, i.cfg.OAuth2IntrospectionEndpoint)
	switch {
	case caller.Subject != "":
		caller.Principal = provider + "\x00" + caller.Subject
	case username != "":
		caller.Subject = username
		caller.Principal = provider + "\x00username\x00" + username // never equal to a sub
	default:
		return nil, errors.New("neither sub nor username")
	}
	return caller, nil
}
