package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// maxTokenBytes bounds a bearer token. Entra's largest are about 10 KiB, with many groups.
const maxTokenBytes = 16 << 10

// A method is a way to know callers by their bearer tokens.
type method interface {
	// judge returns who holds a token. Its error is an *Error, or says what is wrong with the token. source is where it
	// comes from.
	judge(ctx context.Context, source, token string) (*Caller, error)
	missing(c *Caller, scopes []string) []string // those that the caller's token does not grant
	asking(c *Caller, missing []string) string   // what to ask for to have them as well
}

// bearer guards a server whose callers bring a bearer token.
type bearer struct {
	method method
	refuse refusals
}

func (g bearer) Check(r *http.Request) (*Caller, error) {
	token, err := bearerToken(r)
	if errors.Is(err, errNoCredentials) {
		return nil, g.refuse.anonymous(err)
	}
	if err != nil {
		return nil, g.refuse.invalid(err)
	}
	caller, err := g.method.judge(r.Context(), Source(r), token)
	if refusal, ok := errors.AsType[*Error](err); ok {
		return nil, refusal
	}
	if err != nil {
		return nil, g.refuse.invalid(err)
	}
	return caller, nil
}

// errNoCredentials means that a request made no attempt to authenticate.
var errNoCredentials = errors.New("no bearer token in the Authorization header")

// bearerToken returns the token of r (RFC 6750, section 2.1). The other two places where that RFC
// permits one, query and form, are not for MCP: a token in a URI ends up in logs, so a request that
// has one is refused even if its header is fine.
func bearerToken(r *http.Request) (string, error) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", errors.New("access_token in the query")
	}
	values := r.Header.Values("Authorization")
	switch len(values) {
	case 0:
		return "", errNoCredentials
	case 1:
	default:
		return "", fmt.Errorf("%d Authorization headers", len(values))
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNoCredentials
	}
	token = strings.Trim(token, " ")
	if len(token) > maxTokenBytes {
		return "", fmt.Errorf("a token of %d bytes is more than %d", len(token), maxTokenBytes)
	}
	if !isB64Token(token) {
		return "", errors.New("a character that a bearer token cannot have")
	}
	return token, nil
}

// isB64Token reports whether s is a b64token of RFC 6750, section 2.1.
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if c := body[i]; !isBase64URL(c) && !strings.ContainsRune(".~+/", rune(c)) {
			return false
		}
	}
	return body != ""
}

func isBase64URL(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
