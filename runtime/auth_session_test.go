package mcpfunc

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestSessionFollowsTheUserAndNotTheToken(t *testing.T) {
	l := newAuthLab(t)
	c := l.connect(t, "entra", l.token(alice))
	pid, err := c.tool("pid", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.bring(l.token(alice, at(0, time.Hour)))
		if got, err := c.tool("pid", ""); got != pid {
			t.Errorf("with a new token: process %s, want %s (%v)", got, pid, err)
		}
	}
	c.bring("")
	if r := c.do("POST", listTools); r.status != http.StatusUnauthorized {
		t.Errorf("with the session's id alone: %d", r.status)
	}
	c.bring(l.token(alice, at(-2*time.Hour, -time.Hour)))
	if r := c.do("POST", listTools); r.status != http.StatusUnauthorized {
		t.Errorf("with an expired token: %d", r.status)
	}
	c.bring(l.token(alice))
	if r := c.do("DELETE", ""); r.status != http.StatusNoContent {
		t.Errorf("its own user cannot end it: %d", r.status)
	}
}

func TestSessionNeitherGainsNorLosesItsUser(t *testing.T) {
	l := newAuthLab(t)
	open, closed := l.connect(t, "open", ""), l.connect(t, "entra", l.token(alice))
	for what, tt := range map[string]struct {
		server string
		of     *client
		token  string
		want   int
	}{
		"an open session on a guarded server":           {"entra", open, l.token(alice), http.StatusNotFound},
		"an open session on a guarded server, no token": {"entra", open, "", http.StatusUnauthorized},
		"a user's session on an open server":            {"open", closed, "", http.StatusNotFound},
		"a user's session on an open server, signed in": {"open", closed, l.token(alice), http.StatusNotFound},
		"an open session with a token, which is unread": {"open", open, l.token(alice), http.StatusOK},
	} {
		c := l.client(t, tt.server, tt.token)
		c.session = tt.of.session
		if r := c.do("POST", listTools); r.status != tt.want {
			t.Errorf("%s: %d, want %d", what, r.status, tt.want)
		}
	}
	if vars := l.started()[0]; slices.ContainsFunc(vars, func(v string) bool { return strings.Contains(v, "eyJ") }) {
		t.Errorf("a token came into the process of an open server: %q", vars)
	}
}

// authVariables are those of vars that an auth method may set.
func authVariables(vars map[string]string) map[string]string {
	vars = maps.Clone(vars)
	maps.DeleteFunc(vars, func(name, _ string) bool {
		for _, prefix := range []string{"AZURE_", "OAUTH_", "IDENTITY_", "MSI_"} {
			if strings.HasPrefix(name, prefix) {
				return false
			}
		}
		return true
	})
	return vars
}

func TestProcessGetsTheDocumentedVariables(t *testing.T) {
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_SECRET"} {
		t.Setenv(name, "canary-of-the-app") // the app's own, which nobody is to see
	}
	for name, tt := range map[string]struct {
		server  string
		forward bool
		want    func(l *authLab, token string) map[string]string
	}{
		"entra": {"entra", false, func(*authLab, string) map[string]string {
			return map[string]string{"AZURE_CLIENT_ID": appID, "AZURE_TENANT_ID": tenant, "AZURE_USE_OBO": "true"}
		}},
		"entra, forwarded": {"entra", true, func(_ *authLab, token string) map[string]string {
			return map[string]string{
				"AZURE_CLIENT_ID": appID, "AZURE_TENANT_ID": tenant, "AZURE_USE_OBO": "true",
				"AZURE_CLIENT_SECRET": appSecret, "AZURE_USER_ASSERTION": token,
			}
		}},
		"issuer": {"issuer", false, func(*authLab, string) map[string]string {
			return map[string]string{"OAUTH_USER_ID": alice, "OAUTH_SCOPES": "files:read"}
		}},
		"issuer, forwarded": {"issuer", true, func(_ *authLab, token string) map[string]string {
			return map[string]string{"OAUTH_USER_ID": alice, "OAUTH_SCOPES": "files:read", "OAUTH_ACCESS_TOKEN": token}
		}},
		"open": {"open", false, func(*authLab, string) map[string]string { return map[string]string{} }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newAuthLab(t, func(_ *authLab, cfg *Config) {
				for i := range cfg.Servers[:openServer] {
					cfg.Servers[i].method.ForwardUserToken = tt.forward
				}
			})
			token := map[string]string{"entra": l.token(alice), "issuer": l.issuer.token(alice, nil)}[tt.server]
			c := l.connect(t, tt.server, token)
			want := tt.want(l, token)
			got := authVariables(l.vars(t))
			if tt.server == "entra" {
				endpoint, secret := c.broker()
				if !strings.HasPrefix(endpoint, "http://127.0.0.1:") || len(secret) < 43 || secret == "canary-of-the-app" {
					t.Errorf("the broker is at %q, with a secret of %d characters", endpoint, len(secret))
				}
				want["IDENTITY_ENDPOINT"], want["IDENTITY_HEADER"] = endpoint, secret
				want["AZURE_TOKEN_CREDENTIALS"] = "ManagedIdentityCredential"
				want["AZURE_AUTHORITY_HOST"] = l.entra.URL
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if token != "" && strings.Contains(l.log.String(), token) {
				t.Error("the token is in the log")
			}
		})
	}
	if os.Getenv("IDENTITY_HEADER") != "canary-of-the-app" {
		t.Error("the app lost its own variable")
	}
}

func TestTwoUsersAtOnceGetTheirOwnTokens(t *testing.T) {
	l := newAuthLab(t)
	users := []string{alice, bob}
	var wg sync.WaitGroup
	for i := range 6 {
		user := users[i%2]
		wg.Go(func() {
			c := l.connect(t, "entra", l.token(user))
			endpoint, secret := c.broker()
			for range 5 {
				status, token := ask(t, endpoint, secret, arm)
				claims := claimsOf(t, token)
				if status != http.StatusOK || claims["oid"] != user || claims["aud"] != arm || claims["tid"] != tenant {
					t.Errorf("%s got %d and a token of %v for %v", user, status, claims["oid"], claims["aud"])
				}
			}
			if status, _ := ask(t, endpoint, secret, "https://vault.azure.net"); status != http.StatusBadRequest {
				t.Errorf("a resource that is not in azure_scopes: %d", status)
			}
			c.do("DELETE", "")
		})
	}
	wg.Wait()
	if got := l.entra.Requests(fakeentra.Grant); got != 6 {
		t.Errorf("%d exchanges for six sessions that asked for one resource each", got)
	}
}

func TestNewTokenIsUsedInMidSession(t *testing.T) {
	l := newAuthLab(t)
	expired := l.token(alice, at(-2*time.Hour, -30*time.Second)) // within the leeway of the guard, not of Entra
	c := l.connect(t, "entra", expired)
	endpoint, secret := c.broker()
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusBadRequest {
		t.Errorf("with an expired token: %d", status)
	}
	c.bring(l.token(alice))
	if r := c.do("POST", listTools); r.status != http.StatusOK {
		t.Fatalf("with a new token: %d", r.status)
	}
	status, token := ask(t, endpoint, secret, arm)
	if status != http.StatusOK || claimsOf(t, token)["oid"] != alice {
		t.Errorf("after a new token: %d", status)
	}
	c.bring(expired) // late on its way: it changes nothing
	c.do("POST", listTools)
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusOK {
		t.Errorf("after the old token came once more: %d", status)
	}
	c.do("DELETE", "")
	eventually(t, "the process has ended", func() bool { return l.app.Stats().Ended == 1 })
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusUnauthorized {
		t.Errorf("after the session's end: %d", status)
	}
}

func TestStreamBringsANewTokenToo(t *testing.T) {
	l := newAuthLab(t)
	c := l.connect(t, "entra", l.token(alice, at(-2*time.Hour, -30*time.Second)))
	endpoint, secret := c.broker()
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusBadRequest {
		t.Errorf("with an expired token: %d", status)
	}
	c.bring(l.token(alice))
	stream := c.begin("GET", "")
	defer stream.Body.Close()
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusOK {
		t.Errorf("after a stream was opened with a new token: %d", status)
	}
}

func TestSessionWithAnOldTokenInItsProcessEndsForANewer(t *testing.T) {
	for name, server := range map[string]int{"entra": entraServer, "issuer": issuerServer} {
		t.Run(name, func(t *testing.T) {
			l := newAuthLab(t, func(_ *authLab, cfg *Config) { cfg.Servers[server].method.ForwardUserToken = true })
			token := func(expires time.Duration) string {
				if name == "entra" {
					return l.token(alice, at(-time.Minute, expires))
				}
				return l.issuer.token(alice, map[string]any{"exp": time.Now().Add(expires).Unix()})
			}
			fresh := l.connect(t, name, token(10*time.Minute))
			fresh.bring(token(time.Hour))
			if r := fresh.do("POST", listTools); r.status != http.StatusOK {
				t.Errorf("the process's token is good for ten minutes: %d", r.status)
			}
			stale := l.connect(t, name, token(30*time.Second))
			if r := stale.do("POST", listTools); r.status != http.StatusOK {
				t.Errorf("there is no newer token yet: %d", r.status)
			}
			stale.bring(token(time.Hour))
			if r := stale.do("POST", listTools); r.status != http.StatusNotFound {
				t.Errorf("the process's token is as good as expired: %d %s", r.status, r.body)
			}
			again := l.connect(t, name, token(time.Hour)) // as a client does that gets 404
			if r := again.do("POST", listTools); r.status != http.StatusOK {
				t.Errorf("the session after it: %d", r.status)
			}
		})
	}
}

func TestClaimsChallengeReachesTheClient(t *testing.T) {
	const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	capable := func(token *fakeentra.Token) { token.Continuous = true }
	l := newAuthLab(t)
	before := at(-time.Minute, 24*time.Hour)
	c := l.connect(t, "entra", l.token(alice, capable, before))
	bystander := l.connect(t, "entra", l.token(bob, capable))
	l.entra.RequireInteraction(arm, claims)
	endpoint, secret := c.broker()
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusBadRequest {
		t.Fatalf("the process: %d", status)
	}
	r := c.do("POST", listTools)
	want := fmt.Sprintf(`Bearer authorization_uri="%s/%s/oauth2/v2.0/authorize", error="insufficient_claims", claims="%s", resource_metadata="%s"`,
		l.entra.URL, tenant, base64.StdEncoding.EncodeToString([]byte(claims)), publicURL+wellKnown+"/api/mcp/entra")
	if got := r.header.Get("WWW-Authenticate"); r.status != http.StatusUnauthorized || got != want {
		t.Errorf("%d %s\nwant 401 %s", r.status, got, want)
	}
	if !strings.HasPrefix(r.body, `{"error":{"code":"interaction_required","message":"`) {
		t.Error(r.body)
	}
	if r := bystander.do("POST", listTools); r.status != http.StatusOK {
		t.Errorf("another user: %d", r.status)
	}
	l.entra.RequireInteraction(arm, "")
	c.bring(l.token(alice))
	if r := c.do("POST", listTools); r.status != http.StatusOK {
		t.Errorf("with the new token: %d", r.status)
	}
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusOK {
		t.Errorf("the process, after the new token: %d", status)
	}
}

// The four examples of the reference adapter's page, as written: three work with the app settings
// that the page names and a tenant, and the one that would take any GitHub token says both ways out.
func TestDocumentedExamplesWorkOrSayTheCure(t *testing.T) {
	settings := map[string]string{"AZURE_CLIENT_ID": appID, "AZURE_CLIENT_SECRET": appSecret}
	lookup := func(name string) (string, bool) { v, ok := settings[name]; return v, ok }
	for name, tt := range map[string]struct{ auth, want string }{
		"none":          {`{"method": "none"}`, ""},
		"azure_default": {`{"method": "azure_default", "azure_scopes": ["https://management.azure.com/.default"], "forward_user_token": false}`, ""},
		"azure_obo": {`{"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_ID}", "azure_client_secret": "${AZURE_CLIENT_SECRET}",
			"azure_scopes": ["https://management.azure.com/.default", "https://fabric.microsoft.com/.default"], "forward_user_token": true}`, ""},
		"oauth2_bearer": {`{"method": "oauth2_bearer", "oauth2_required_scopes": ["repo:read", "user:read"],
			"oauth2_issuer": "https://github.com", "forward_user_token": true}`, `"oauth2_audience": "any"`},
	} {
		cfg, err := ParseConfig([]byte(`{"mcpServers": {"a": {"command": "uvx", "args": ["x"], "auth": `+tt.auth+`}}}`), lookup)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cfg.PublicURL, cfg.tenantID = publicURL, tenant // as WEBSITE_HOSTNAME and AZURE_TENANT_ID say
		a, err := New(cfg, nil)
		if err == nil {
			a.Close()
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "oauth2_introspection_client_id")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForwardedTokenIsWarnedOfOnce(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) { cfg.Servers[issuerServer].method.ForwardUserToken = true })
	for range 3 {
		l.connect(t, "issuer", l.issuer.token(alice, nil))
	}
	if got := strings.Count(l.log.String(), "forward_user_token"); got != 1 {
		t.Errorf("%d warnings in\n%s", got, l.log.String())
	}
}
