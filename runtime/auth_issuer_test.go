package mcpfunc

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// An issuer is an OAuth 2 authorization server as far as a resource server can see it: metadata by
// RFC 8414, and a key set.
type issuer struct {
	*httptest.Server
	down atomic.Bool // answer 503
}

func startIssuer(t *testing.T) *issuer {
	i := &issuer{}
	mux := http.NewServeMux()
	serve := func(pattern string, document func() any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			if i.down.Load() {
				http.Error(w, "down", http.StatusServiceUnavailable)
				return
			}
			json.NewEncoder(w).Encode(document())
		})
	}
	serve("GET /.well-known/oauth-authorization-server", func() any {
		return map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
	})
	serve("GET /keys", func() any {
		public := signingKey().PublicKey
		return map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": "1", "use": "sig", "n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
		}}}
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token is an access token (RFC 9068) for the server "issuer" of a lab, with claims in place of the
// usual.
func (i *issuer) token(user string, claims jwt.MapClaims) string {
	now := time.Now()
	all := jwt.MapClaims{
		"iss": i.URL, "aud": publicURL + "/api/mcp/issuer", "sub": user, "client_id": "editor", "scope": "files:read",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, value := range claims {
		all[name] = value
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, all)
	token.Header["kid"], token.Header["typ"] = "1", "at+jwt"
	signed, err := token.SignedString(signingKey())
	if err != nil {
		panic(err)
	}
	return signed
}
