package mcpfunc

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

const (
	tenant    = "11111111-2222-3333-4444-555555555555"
	elsewhere = "66666666-7777-8888-9999-aaaaaaaaaaaa" // another tenant that is allowed
	appID     = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	editor    = "aebc6443-996d-45c2-90f0-388ff96faa56" // the client program
	alice     = "99999999-8888-7777-6666-555555555555"
	bob       = "bbbbbbbb-8888-7777-6666-555555555555"

	publicURL = "https://mcp.example.com"
	appSecret = "canary-app-secret"
	arm       = "https://management.azure.com"
)

// signingKey is what every identity provider of these tests signs with: a new key takes a while.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// A journal keeps what an app logs.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// An authLab is an app whose servers trust a fake Entra, with an eye on what its processes get. Its
// servers are this test binary.
type authLab struct {
	entra  *fakeentra.Server
	issuer *issuer
	app    *App
	url    string // of the app
	log    journal

	mu       sync.Mutex
	environs [][]string // of the processes, in order of their start
}

// entraAuth is an auth object of method azure_obo that trusts a lab's Entra.
func entraAuth(l *authLab) config.Auth {
	return config.Auth{
		Method: config.AuthAzureOBO, AzureClientID: appID, AzureClientSecret: appSecret, AzureAuthority: l.entra.URL,
		AzureAllowedTenants: []string{tenant, elsewhere}, AzureScopes: []string{arm + "/.default"},
		AzureRequiredScopes: []string{"user_impersonation"},
	}
}

// issuerAuth is one of method oauth2_bearer that trusts a lab's other issuer.
func issuerAuth(l *authLab) config.Auth {
	return config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: l.issuer.URL, OAuth2RequiredScopes: []string{"files:read"}}
}

// newAuthLab starts an app with the servers entra (azure_obo), issuer (oauth2_bearer) and open
// (none). change has the last word on its configuration.
func newAuthLab(t *testing.T, change ...func(*authLab, *Config)) *authLab {
	t.Helper()
	l := &authLab{entra: fakeentra.Start(fakeentra.Options{Tenants: []string{tenant, elsewhere}, Key: signingKey()})}
	t.Cleanup(l.entra.Close)
	l.entra.AddApp(fakeentra.App{ClientID: appID, Secret: appSecret})
	l.issuer = startIssuer(t)
	cfg := &Config{PublicURL: publicURL, development: true}
	add := func(name string, method config.Auth) {
		s := self(name)
		s.method = method
		cfg.Servers = append(cfg.Servers, s)
	}
	add("entra", entraAuth(l))
	add("issuer", issuerAuth(l))
	add("open", config.Auth{Method: config.AuthNone})
	for _, c := range change {
		c(l, cfg)
	}
	var srv *httptest.Server
	l.app, srv = newApp(t, cfg, &Options{
		Logger:    slog.New(slog.NewJSONHandler(&l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Launcher:  LauncherFunc(l.launch),
		transport: l.entra.Client().Transport,
	})
	l.url = srv.URL
	return l
}

// The servers of a lab, by their place in its configuration.
const (
	entraServer = iota
	issuerServer
	openServer
)

func (l *authLab) launch(ctx context.Context, s Server, env []string) (Process, error) {
	l.mu.Lock()
	l.environs = append(l.environs, env)
	l.mu.Unlock()
	return ExecLauncher{}.Launch(ctx, s, env)
}

// started returns the environments of all processes.
func (l *authLab) started() [][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.environs
}

// vars returns the variables of the process that was started last.
func (l *authLab) vars(t *testing.T) map[string]string {
	t.Helper()
	all := l.started()
	if len(all) == 0 {
		t.Fatal("no process was started")
	}
	vars := map[string]string{}
	for _, entry := range all[len(all)-1] {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	return vars
}

// token is what an honest client of a user would bring, with changes.
func (l *authLab) token(user string, change ...func(*fakeentra.Token)) string {
	token := fakeentra.Token{Tenant: tenant, Audience: appID, ClientID: editor, ObjectID: user, Scopes: []string{"user_impersonation"}}
	for _, c := range change {
		c(&token)
	}
	return l.entra.Issue(token)
}

// at makes a token of another time than now.
func at(issued, expires time.Duration) func(*fakeentra.Token) {
	return func(token *fakeentra.Token) {
		now := time.Now()
		token.Claims = map[string]any{"iat": now.Add(issued).Unix(), "nbf": now.Add(issued).Unix(), "exp": now.Add(expires).Unix()}
	}
}

// client is a client of a server that brings a token, or none if it is empty.
func (l *authLab) client(t testing.TB, server, token string) *client {
	c := &client{t: t, url: l.url + "/api/mcp/" + server, header: http.Header{}}
	c.bring(token)
	return c
}

// connect is client with a session.
func (l *authLab) connect(t testing.TB, server, token string) *client {
	t.Helper()
	c := l.client(t, server, token)
	if got, err := c.send("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`); err != nil {
		t.Fatalf("initialize: %v %s", err, got)
	}
	return c
}

// bring changes the token of later requests.
func (c *client) bring(token string) {
	c.header = http.Header{}
	if token != "" {
		c.header.Set("Authorization", "Bearer "+token)
	}
}

// A reply is an HTTP answer, whole.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request with the client's session and token, and headers as "Name: value".
func (c *client) do(method, body string, headers ...string) reply {
	c.t.Helper()
	resp := c.begin(method, body, headers...)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(data)}
}

// begin is do for an answer that may be a stream.
func (c *client) begin(method, body string, headers ...string) *http.Response {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	if !testlimit.Eventually(is) {
		t.Fatalf("it never came to this: %s", what)
	}
}

const (
	listTools  = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
)

// claimsOf reads a token that was checked by others.
func claimsOf(t testing.TB, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Errorf("%v in %q", err, token)
	}
	return claims
}

// ask asks the managed identity endpoint that a process was told of, as Azure's SDKs do.
func ask(t testing.TB, endpoint, secret, resource string) (status int, token string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, endpoint+"?api-version=2019-08-01&resource="+resource, nil)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("X-IDENTITY-HEADER", secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Error(err)
	}
	return resp.StatusCode, answer.AccessToken
}

// broker returns where the client's process gets its tokens, as the process says.
func (c *client) broker() (endpoint, secret string) {
	c.t.Helper()
	return c.env("IDENTITY_ENDPOINT"), c.env("IDENTITY_HEADER")
}

// env returns a variable of the client's process, as the process says.
func (c *client) env(name string) string {
	c.t.Helper()
	value, err := c.tool("env", fmt.Sprintf(`"name":%q`, name))
	if err != nil {
		c.t.Errorf("env %s: %v", name, err)
	}
	return value
}
