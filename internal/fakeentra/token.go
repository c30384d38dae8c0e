package fakeentra

import (
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A Token is an access token to be issued.
type Token struct {
	Version  string // "1.0" or "2.0", which is the default
	Tenant   string
	Audience string // the client id of an app, or an App ID URI
	ClientID string // the app that asked for it

	ObjectID string   // the user, or with App the service principal
	Scopes   []string // what the user lets the client do
	Roles    []string // what an application may do
	App      bool     // issued to an application; no user is involved

	// Continuous makes a token for continuous access evaluation: the client declared that it
	// understands claims challenges, and the token lives for a day.
	Continuous bool
	Lifetime   time.Duration // 75 minutes if zero

	KeyID  string         // to sign with; the newest key if empty
	Claims map[string]any // set in place of the above; a nil value removes a claim
	Header map[string]any // likewise
}

// Issue signs a token. It panics if there is no such key, which is a fault of the test.
func (s *Server) Issue(t Token) string {
	if t.Version == "" {
		t.Version = v2
	}
	key := s.key(t.KeyID)
	claims := s.claims(t)
	override(claims, t.Claims)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = key.id
	if t.Version == v1 {
		token.Header["x5t"] = key.id
	}
	override(token.Header, t.Header)
	signed, err := token.SignedString(key.private)
	if err != nil {
		panic(err)
	}
	return signed
}

func (s *Server) claims(t Token) jwt.MapClaims {
	now := s.now()
	lifetime := t.Lifetime
	if lifetime == 0 {
		lifetime = 75 * time.Minute
		if t.Continuous {
			lifetime = 24 * time.Hour
		}
	}
	c := jwt.MapClaims{
		"aud": t.Audience,
		"iss": s.issuer(t.Version, t.Tenant),
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
		"oid": t.ObjectID,
		"sub": "pairwise-" + t.ObjectID + "-" + t.Audience, // differs from app to app
		"tid": t.Tenant,
		"ver": t.Version,
		"uti": "AAAAAAAAAAAAAAAAAAAAAA",
	}
	client := "azp"
	if t.Version == v1 {
		client = "appid"
	}
	c[client] = t.ClientID
	c[client+"acr"] = "0"
	if t.App {
		c["idtyp"] = "app"
		c["sub"] = t.ObjectID
	} else {
		c["name"] = "Adele Vance"
		if len(t.Scopes) > 0 {
			c["scp"] = strings.Join(t.Scopes, " ")
		}
	}
	if len(t.Roles) > 0 {
		c["roles"] = t.Roles
	}
	if t.Continuous {
		c["xms_cc"] = []string{"cp1"}
	}
	return c
}

func (s *Server) key(id string) signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return s.keys[len(s.keys)-1]
	}
	for _, k := range s.keys {
		if k.id == id {
			return k
		}
	}
	panic("fakeentra: no key " + id)
}

func override[M ~map[string]any](m M, with map[string]any) {
	maps.Copy(m, with)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
}
