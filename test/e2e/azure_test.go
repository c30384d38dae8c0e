//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

const (
	tenant    = "11111111-2222-3333-4444-555555555555"
	appID     = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	alice     = "99999999-8888-7777-6666-555555555555"
	bob       = "88888888-8888-7777-6666-555555555555"
	appSecret = "canary-of-the-app"
	arm       = "https://management.azure.com"
	graph     = "https://graph.microsoft.com"
)

// entra starts a fake Entra ID and returns it with the app settings of a project that trusts it.
func entra(t *testing.T) (*fakeentra.Server, []string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := fakeentra.Start(fakeentra.Options{Tenants: []string{tenant}, Key: key})
	t.Cleanup(s.Close)
	s.AddApp(fakeentra.App{ClientID: appID, Secret: appSecret})
	certificate := filepath.Join(t.TempDir(), "entra.pem")
	write(t, certificate, string(s.Certificate()))
	return s, []string{
		"SSL_CERT_FILE=" + certificate, "AZURE_AUTHORITY_HOST=" + s.URL, "AZURE_FUNCTIONS_ENVIRONMENT=Development",
		"AZURE_CLIENT_ID=" + appID, "AZURE_CLIENT_SECRET=" + appSecret, "AZURE_TENANT_ID=" + tenant,
	}
}

// token is what a client of this user would bring.
func token(s *fakeentra.Server, user string) string {
	return s.Issue(fakeentra.Token{
		Tenant: tenant, Audience: appID, ClientID: "aebc6443-996d-45c2-90f0-388ff96faa56", ObjectID: user,
		Scopes: []string{"user_impersonation"},
	})
}

// A bearer sends its newest token with every request.
type bearer struct {
	mu    sync.Mutex
	token string
}

func (b *bearer) bring(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token = token
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	b.mu.Lock()
	r.Header.Set("Authorization", "Bearer "+b.token)
	b.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// signIn opens a session with a token.
func signIn(t *testing.T, url, token string) (*peer, *bearer) {
	t.Helper()
	b := &bearer{token: token}
	client := mcp.NewClient(&mcp.Implementation{Name: "mcpfunc-e2e-azure", Version: "1"}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), testlimit.Wait())
	defer cancel()
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: b}}, nil)
	if err != nil {
		t.Fatalf("connect to %s: %v", url, err)
	}
	p := &peer{ClientSession: session, client: client}
	t.Cleanup(func() { session.Close() })
	return p, b
}

// claimsOf reads a token that an SDK got.
func claimsOf(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Errorf("%v in %q", err, token)
	}
	return claims
}

// azureServers are servers that use Azure's SDKs as everybody does, by name.
func azureServers(t *testing.T) map[string]any {
	t.Helper()
	file := func(name string) string {
		path, err := filepath.Abs(filepath.Join("servers", "azure", name))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	auth := map[string]any{
		"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_ID}", "azure_client_secret": "${AZURE_CLIENT_SECRET}",
		"azure_scopes": []string{arm + "/.default"},
	}
	return map[string]any{
		"go":     map[string]any{"command": azureServer(t), "auth": auth},
		"node":   map[string]any{"command": node, "args": []string{file("server.mjs"), e2etest.Tool("npm", "package.json")}, "auth": auth},
		"python": map[string]any{"command": python, "args": []string{file("server.py")}, "auth": auth},
	}
}

func TestUnmodifiedServersActAsTheirUser(t *testing.T) {
	t.Parallel()
	s, settings := entra(t)
	servers := azureServers(t)
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": servers}), settings...)
	for name := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wg sync.WaitGroup
			for _, user := range []string{alice, bob, alice, bob} { // at once
				p, tokens := signIn(t, b.Endpoint(name), token(s, user))
				wg.Go(func() { actAs(t, p, tokens, s, user) })
			}
			wg.Wait()
		})
	}
}

// actAs checks that the server behind p acts as user, and as nobody else, over a change of tokens.
func actAs(t *testing.T, p *peer, tokens *bearer, s *fakeentra.Server, user string) {
	ask := func(resource string) (string, error) {
		return p.call(t.Context(), "token", map[string]any{"scope": resource + "/.default"})
	}
	for range 3 {
		got, err := ask(arm)
		if err != nil {
			t.Errorf("%s: %v", user, err)
			return
		}
		if c := claimsOf(t, got); c["oid"] != user || c["aud"] != arm || c["idtyp"] == "app" {
			t.Errorf("%s got a token of %v for %v (%v)", user, c["oid"], c["aud"], c["idtyp"])
		}
		tokens.bring(token(s, user)) // the client's refreshes; the session goes on
	}
	if got, err := ask(graph); err == nil || !strings.Contains(err.Error(), "azure_scopes") {
		t.Errorf("%s, a resource that is not in azure_scopes: %q, %v", user, got, err)
	}
	environment, err := p.call(t.Context(), "environment", map[string]any{"scope": ""})
	if err != nil || !strings.Contains(environment, "AZURE_USE_OBO=true") {
		t.Errorf("%s: %v\n%s", user, err, environment)
	}
	if strings.Contains(environment, appSecret) || strings.Contains(environment, "eyJ") {
		t.Errorf("%s: the app's secret or a token is in the process's environment", user)
	}
}

func TestOtherUsersSessionIsUnknown(t *testing.T) {
	t.Parallel()
	s, settings := entra(t)
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": map[string]any{"go": azureServers(t)["go"]}}), settings...)
	url := b.Endpoint("go")
	as := func(user string) string { return "Authorization: Bearer " + token(s, user) }
	session := post(t, url, "", initialize, as(alice)).Header.Get("Mcp-Session-Id")
	if session == "" {
		t.Fatal("no session")
	}
	if got := post(t, url, session, listTools, as(alice)); got.Status != http.StatusOK {
		t.Errorf("alice: HTTP %d %s", got.Status, got.Body)
	}
	other, unknown := post(t, url, session, listTools, as(bob)), post(t, url, "mcpf-"+strings.Repeat("A", 26), listTools, as(bob))
	if other.Status != http.StatusNotFound || other.Body != unknown.Body {
		t.Errorf("bob: HTTP %d %s, an unknown session: HTTP %d %s", other.Status, other.Body, unknown.Status, unknown.Body)
	}
	if got := post(t, url, session, listTools); got.Status != http.StatusUnauthorized || !strings.Contains(got.Header.Get("Www-Authenticate"),
		`/.well-known/oauth-protected-resource/api/mcp/go"`) {
		t.Errorf("without a token: HTTP %d, %s", got.Status, got.Header.Get("Www-Authenticate"))
	}
	got := curl(t, b.URL+"/.well-known/oauth-protected-resource/api/mcp/go")
	if want := fmt.Sprintf(`"authorization_servers":["%s/%s/v2.0"]`, s.URL, tenant); !strings.Contains(got.Body, want) {
		t.Errorf("HTTP %d %s, want %s", got.Status, got.Body, want)
	}
}

func TestDoctorFollowsTheWayToEntra(t *testing.T) {
	t.Parallel()
	s, settings := entra(t)
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": map[string]any{"go": azureServers(t)["go"]}}), settings...)
	url := strings.Replace(b.Endpoint("go"), "127.0.0.1", "localhost", 1) // its public address
	doctor := func(token string) (string, error) {
		cmd := exec.CommandContext(t.Context(), mcpfunc(t), "doctor", "auth", url, "--token", token)
		cmd.Env = append(e2etest.Environ(), settings...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := doctor(token(s, alice)); err != nil || strings.Count(out, "ok ") < 11 || strings.Contains(out, "eyJ") {
		t.Errorf("a good token: %v\n%s", err, out)
	}
	forAzure := s.Issue(fakeentra.Token{Version: "1.0", Tenant: tenant, Audience: arm, ObjectID: alice, Scopes: []string{"user_impersonation"}})
	out, err := doctor(forAzure) // what the reference adapter's own client example asks for
	if err == nil || !strings.Contains(out, "for "+arm) || !strings.Contains(out, "hint: the client must ask for the scope api://"+appID+"/.default") {
		t.Errorf("a token for Azure itself: %v\n%s", err, out)
	}
}
