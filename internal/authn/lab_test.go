package authn

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

const (
	tenantA  = "11111111-2222-3333-4444-555555555555"
	tenantB  = "66666666-7777-8888-9999-aaaaaaaaaaaa"
	tenantC  = "cccccccc-7777-8888-9999-cccccccccccc" // exists, and is not allowed
	clientID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	vsCode   = "aebc6443-996d-45c2-90f0-388ff96faa56"
	alice    = "99999999-8888-7777-6666-555555555555"

	resource    = "https://mcp.example.com/api/mcp"
	metadataURL = "https://mcp.example.com/.well-known/oauth-protected-resource/api/mcp"
)

// rsaKey is the key that tests sign with; making one takes too long to do it for each.
var rsaKey = sync.OnceValue(newRSAKey)

func newRSAKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// A clock shows the time that a test has set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Unix(1_800_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A log keeps what a guard logs.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// An entraLab is a guard of method azure_obo and the fake Entra it trusts.
type entraLab struct {
	*fakeentra.Server
	clock *clock
	log   *log
	guard Guard
}

func newEntraLab(t testing.TB, change ...func(*config.Auth)) *entraLab {
	t.Helper()
	l := &entraLab{clock: newClock(), log: &log{}}
	l.Server = fakeentra.Start(fakeentra.Options{Tenants: []string{tenantA, tenantB, tenantC}, Key: rsaKey(), Now: l.clock.now})
	t.Cleanup(l.Close)
	cfg := config.Auth{
		Method:              config.AuthAzureOBO,
		AzureClientID:       clientID,
		AzureAllowedTenants: []string{tenantA, tenantB},
		AzureAuthority:      l.URL,
	}
	for _, c := range change {
		c(&cfg)
	}
	l.guard = newGuard(t, cfg, l.env())
	return l
}

func (l *entraLab) env() Env {
	return Env{
		Resource:    resource,
		MetadataURL: metadataURL,
		Development: true,
		Transport:   l.Client().Transport,
		Logger:      slog.New(slog.NewJSONHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:         l.clock.now,
	}
}

// token issues what an honest client would bring, with changes.
func (l *entraLab) token(change ...func(*fakeentra.Token)) string {
	t := fakeentra.Token{
		Tenant: tenantA, Audience: clientID, ClientID: vsCode, ObjectID: alice, Scopes: []string{"user_impersonation"},
	}
	for _, c := range change {
		c(&t)
	}
	return l.Issue(t)
}

func claim(name string, value any) func(*fakeentra.Token) {
	return func(t *fakeentra.Token) {
		if t.Claims == nil {
			t.Claims = make(map[string]any)
		}
		t.Claims[name] = value
	}
}

func newGuard(t testing.TB, cfg config.Auth, env Env) Guard {
	t.Helper()
	g, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// check brings a token to a guard.
func check(g Guard, token string) (*Caller, error) {
	r := httptest.NewRequest(http.MethodPost, "/api/mcp", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return g.Check(r)
}

// wantRefusal checks that err is an answer with a status, and returns it.
func wantRefusal(t testing.TB, what string, err error, status int) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Status != status {
		t.Errorf("%s: got %v, want status %d", what, err, status)
		return &Error{}
	}
	return e
}

// forge assembles a token from its parts as they stand.
func forge(header, payload string, sign func(signed string) []byte) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

// rs256 signs as the issuer would.
func rs256(signed string) []byte {
	sig, err := jwt.SigningMethodRS256.Sign(signed, rsaKey())
	if err != nil {
		panic(err)
	}
	return sig
}

// parts returns the header and the claims of a token, to be changed and forged again.
func parts(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	j, err := parseJWS(token, allAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	payload, err = decodeObject(j.payload)
	if err != nil {
		t.Fatal(err)
	}
	return j.header, payload
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
