package authn

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func FuzzBearerToken(f *testing.F) {
	f.Add("Bearer abc", "")
	f.Add("bearer  a.b.c==", "access_token=x")
	f.Add("Basic dTpw", "a=b")
	f.Add("Bearer a, Bearer b", "access%5Ftoken")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{header}
		token, err := bearerToken(r)
		if err != nil {
			if token != "" {
				t.Errorf("an error and the token %q", token)
			}
			return
		}
		if token == "" || len(token) > maxTokenBytes || strings.ContainsAny(token, " \t\r\n\x00,;\"\\") || !strings.Contains(header, token) {
			t.Errorf("got token %q of %q", token, header)
		}
	})
}

// FuzzJWT checks that a token has one spelling: what parses is what its parts, encoded again, give.
func FuzzJWT(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.e30.AAAA")
	f.Add("eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJzdWIiOiJhIn0.AAAA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		j, err := parseJWT(token, allAlgorithms())
		if err != nil {
			if j != nil {
				t.Error("an error and a token")
			}
			return
		}
		headerSegment, _, _ := strings.Cut(token, ".")
		header, err := decodeSegment(headerSegment)
		if err != nil {
			t.Fatal(err)
		}
		if again := forge(string(header), string(j.payload), func(string) []byte { return j.signature }); again != token {
			t.Errorf("%q has another spelling: %q", token, again)
		}
		if !json.Valid(j.payload) || !json.Valid(header) {
			t.Errorf("accepted what is not JSON: %q", token)
		}
		if !looksLikeJWT(token) {
			t.Errorf("%q does not look like a JWT", token)
		}
		if err := j.verify(key{public: &rsaKey().PublicKey}); err == nil {
			t.Errorf("%q is signed by nobody and verified", token)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(jwks(rsaJWK("a", rsaKey().N, 65537), map[string]any{"kty": "oct", "k": "AA"}))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Add([]byte(`{"keys":[null,[],{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, _, err := parseKeySet(data)
		if err != nil {
			return
		}
		for _, k := range set {
			if jwk := (jose.JSONWebKey{Key: k.public}); !jwk.Valid() || !jwk.IsPublic() {
				t.Errorf("kept %#v", k)
			}
			if !k.fits("RS256") && !k.fits("PS256") && !k.fits("ES256") && !k.fits("ES384") && !k.fits("ES512") && !k.fits("EdDSA") && k.alg == "" {
				t.Errorf("kept %#v, which fits nothing", k)
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://issuer","jwks_uri":"https://issuer/keys"}`))
	f.Add([]byte(`{"issuer":"https://issuer/","jwks_uri":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		uri, err := readMetadata(data, "https://issuer")
		if err == nil && (uri == "" || !bytes.Contains(data, []byte("issuer"))) {
			t.Errorf("got %q", uri)
		}
	})
}

func FuzzIntrospection(f *testing.F) {
	f.Add([]byte(`{"active":true,"aud":"https://mcp.example.com/api/mcp","sub":"u","scope":"a b","exp":1800000060}`))
	f.Add([]byte(`{"active":true,"username":"u","aud":["x"]}`))
	now := time.Unix(1_800_000_000, 0)
	env := Env{Resource: resource, Now: func() time.Time { return now }}
	cfg := config.Auth{OAuth2IntrospectionEndpoint: "https://issuer/introspect"}
	i := &introspection{cfg, audiencesOf(cfg, env), fetcher{}, env.Now}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := i.read(data)
		if err != nil {
			return
		}
		var plain struct{ Active bool }
		if err := json.Unmarshal(data, &plain); err != nil || !plain.Active {
			t.Errorf("accepted %q", data)
		}
		if c.Principal == "" || strings.Count(c.Principal, "\x00") > 2 || strings.ContainsAny(c.Subject, "\x00\r\n") {
			t.Errorf("principal %q", c.Principal)
		}
		if !c.Expires.IsZero() && c.Expires.Before(now.Add(-leeway)) {
			t.Errorf("expired at %v", c.Expires)
		}
	})
}
