package broker

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

const (
	tenant   = "11111111-2222-3333-4444-555555555555"
	clientID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	vsCode   = "aebc6443-996d-45c2-90f0-388ff96faa56"
	alice    = "99999999-8888-7777-6666-555555555555"
	bob      = "88888888-8888-7777-6666-555555555555"
	secret   = "canary-of-the-app"

	arm    = "https://management.azure.com"
	fabric = "https://fabric.microsoft.com"
	graph  = "https://graph.microsoft.com"
)

// rsaKey is the key that tests sign with; making one takes too long to do it for each.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// A lab is a broker, the Entra that it exchanges tokens with, and the environment of the app.
type lab struct {
	t      *testing.T
	entra  *fakeentra.Server
	broker *Broker
	auth   config.Auth
	env    authn.Env
	ahead  atomic.Int64 // of the real time

	mu       sync.Mutex
	environ  map[string]string
	log      bytes.Buffer
	exchange http.Handler // in place of Entra's token endpoint
}

func newLab(t *testing.T, change ...func(*lab)) *lab {
	t.Helper()
	l := &lab{t: t, environ: make(map[string]string)}
	l.entra = fakeentra.Start(fakeentra.Options{Tenants: []string{tenant}, Key: rsaKey(), Now: l.now})
	t.Cleanup(l.entra.Close)
	l.entra.AddApp(fakeentra.App{ClientID: clientID, Secret: secret})
	l.auth = config.Auth{
		Method:            config.AuthAzureOBO,
		AzureClientID:     clientID,
		AzureClientSecret: secret,
		AzureTenantID:     tenant,
		AzureScopes:       []string{arm + "/.default", fabric + "/.default"},
		AzureAuthority:    l.entra.URL,
	}
	l.env = authn.Env{
		Development: true,
		Transport:   l.entra.Client().Transport,
		MetadataURL: "https://mcp.example.com/.well-known/oauth-protected-resource",
		Now:         l.now,
	}
	for _, c := range change {
		c(l)
	}
	l.broker = New(Options{
		Logger:    slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Transport: l,
		LookupEnv: l.lookup,
		Now:       l.now,
	})
	t.Cleanup(func() {
		l.broker.Close()
		if t.Failed() {
			t.Log(l.logged())
		}
		for _, canary := range []string{secret, "eyJ", "platform-"} {
			if log := l.logged(); strings.Contains(log, canary) {
				t.Errorf("%s in the log:\n%s", canary, log)
			}
		}
	})
	return l
}

// RoundTrip is the broker's transport.
func (l *lab) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	h := l.exchange
	l.mu.Unlock()
	if h == nil || !strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		return l.entra.Client().Transport.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// exchangeBy replaces the token endpoint.
func (l *lab) exchangeBy(h http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exchange = h
}

func (l *lab) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

func (l *lab) advance(d time.Duration) { l.ahead.Add(int64(d)) }

func (l *lab) lookup(name string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, ok := l.environ[name]
	return value, ok
}

func (l *lab) setenv(name, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.environ[name] = value
}

func (l *lab) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *lab) logged() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

// lease leases for u, who may be nil.
func (l *lab) lease(u *user) *Lease {
	l.t.Helper()
	g := Grant{Server: "s", Auth: l.auth, Env: l.env}
	if u != nil {
		g.Caller = u.caller
	}
	lease, err := l.broker.Lease(g)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(lease.Close)
	return lease
}

// A user has a session and signs in again now and then.
type user struct {
	lab    *lab
	id     string
	newest atomic.Pointer[authn.Caller]
}

func (l *lab) signedIn(id string) *user {
	l.t.Helper()
	u := &user{lab: l, id: id}
	u.signIn()
	return u
}

func (u *user) caller() *authn.Caller { return u.newest.Load() }

// signIn gets the user a new token, which passes the guard as in a request.
func (u *user) signIn(change ...func(*fakeentra.Token)) {
	t := u.lab.t
	t.Helper()
	token := fakeentra.Token{Tenant: tenant, Audience: clientID, ClientID: vsCode, ObjectID: u.id,
		Scopes: []string{"user_impersonation"}, Claims: map[string]any{"uti": rand.Text()}}
	for _, c := range change {
		c(&token)
	}
	guard, err := authn.New(u.lab.auth, u.lab.env)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/api/mcp", nil)
	r.Header.Set("Authorization", "Bearer "+u.lab.entra.Issue(token))
	c, err := guard.Check(r)
	if err != nil {
		t.Fatal(err)
	}
	u.newest.Store(c)
}

// environ returns the variables of a lease's process.
func environ(t *testing.T, l *Lease) map[string]string {
	t.Helper()
	vars, err := l.Environ(nil)
	if err != nil {
		t.Fatal(err)
	}
	return vars
}

// An answer is what a process gets.
type answer struct {
	status      int
	header      http.Header
	raw         string
	token       token
	code        string
	description string
}

// claims reads a token that the fake Entra has issued.
func (a answer) claims(t *testing.T) jwt.MapClaims {
	t.Helper()
	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(a.token.AccessToken, c); err != nil {
		t.Fatalf("%v in %d %s", err, a.status, a.raw)
	}
	return c
}

// request is what an SDK sends for resource.
func request(t *testing.T, vars map[string]string, resource string) *http.Request {
	t.Helper()
	query := url.Values{"resource": {resource}, "api-version": {apiVersion}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, vars["IDENTITY_ENDPOINT"]+"?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-IDENTITY-HEADER", vars["IDENTITY_HEADER"])
	return r
}

func send(t *testing.T, r *http.Request) answer {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(body)}
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(body, &a.token)
	} else if resp.Header.Get("Content-Type") == "application/json" {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	a.code, a.description = e.Error, e.Description
	return a
}

func ask(t *testing.T, vars map[string]string, resource string) answer {
	t.Helper()
	return send(t, request(t, vars, resource))
}
