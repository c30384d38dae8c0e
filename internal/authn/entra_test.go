package authn

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestCallerIsWhoTheTokenSays(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	for _, version := range []string{"1.0", "2.0"} {
		token := l.token(func(f *fakeentra.Token) { f.Version = version })
		got, err := check(l.guard, token)
		if err != nil {
			t.Fatalf("version %s: %v", version, err)
		}
		want := &Caller{
			Principal: tenantA + "\x00" + alice,
			Token:     token,
			Subject:   "pairwise-" + alice + "-" + clientID,
			ObjectID:  alice,
			TenantID:  tenantA,
			ClientID:  vsCode,
			Scopes:    []string{"user_impersonation"},
			Expires:   l.clock.now().Add(75 * 60e9),
			IssuedAt:  l.clock.now(),
			Claims:    got.Claims,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("version %s: (-want +got)\n%s", version, diff)
		}
		if got.Claims["name"] != "Adele Vance" {
			t.Errorf("version %s: claims are not those of the token: %v", version, got.Claims)
		}
	}
}

func TestPrincipalStaysWithTheUser(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	principal := func(change ...func(*fakeentra.Token)) string {
		t.Helper()
		c, err := check(l.guard, l.token(change...))
		if err != nil {
			t.Fatal(err)
		}
		return c.Principal
	}
	first := principal()
	l.clock.advance(1e12)
	if got := principal(func(f *fakeentra.Token) { f.Version = "1.0"; f.Audience = "api://" + clientID }); got != first {
		t.Errorf("another token of the same user: %q, want %q", got, first)
	}
	if got := principal(func(f *fakeentra.Token) { f.Tenant = tenantB }); got == first {
		t.Error("the same object id in another tenant is the same principal")
	}
	if got := principal(func(f *fakeentra.Token) { f.ObjectID = vsCode }); got == first {
		t.Error("another user is the same principal")
	}
}

func TestT08AudienceIsThisApp(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	many := make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprintf("https://%d.example.com", i)
	}
	for _, test := range []struct {
		aud  any
		want bool
	}{
		{clientID, true},
		{"api://" + clientID, true},
		{resource, true},
		{append(slices.Clone(many), clientID), true},
		{[]string{clientID}, true},
		{many, false},
		{"https://management.azure.com", false},
		{"https://management.azure.com/", false},
		{"https://graph.microsoft.com", false},
		{"00000003-0000-0000-c000-000000000000", false},
		{vsCode, false},
		{strings.ToUpper(clientID), false},
		{clientID + "x", false},
		{"x" + clientID, false},
		{clientID[:35], false},
		{clientID + " ", false},
		{"api://" + clientID + "/", false},
		{"API://" + clientID, false},
		{resource + "/", false},
		{resource + "/other", false},
		{"https://mcp.example.com", false},
		{"", false},
		{nil, false},
		{[]string{}, false},
		{[]any{clientID, 7}, false},
		{7, false},
		{map[string]string{clientID: clientID}, false},
		{clientID + "," + vsCode, false},
	} {
		_, err := check(l.guard, l.token(claim("aud", test.aud)))
		if test.want && err != nil {
			t.Errorf("aud %v: %v", test.aud, err)
		} else if !test.want {
			wantRefusal(t, fmt.Sprintf("aud %v", test.aud), err, http.StatusUnauthorized)
		}
	}
}

// An App ID URI is an app's within its tenant alone, so that any tenant can have one that reads like ours.
func TestT08OfAllTenantsOnlyTheClientIDIsAnAudience(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t, func(c *config.Auth) { c.AzureAllowedTenants = []string{"*"} })
	for _, version := range []string{"1.0", "2.0"} {
		as := func(aud any) string {
			return l.token(claim("aud", aud), func(f *fakeentra.Token) { f.Version, f.Tenant = version, tenantC })
		}
		if _, err := check(l.guard, as(clientID)); err != nil {
			t.Errorf("version %s, the client id: %v", version, err)
		}
		for _, aud := range []any{"api://" + clientID, resource, []string{"api://" + clientID, resource}} {
			_, err := check(l.guard, as(aud))
			wantRefusal(t, fmt.Sprintf("version %s, aud %v", version, aud), err, http.StatusUnauthorized)
		}
	}
}

// TestT09ForeignTenantsAreRefusedWithoutAQuestion: whatever a token names is not fetched before it
// has been found in the configuration.
func TestT09ForeignTenantsAreRefusedWithoutAQuestion(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	v2 := l.URL + "/" + tenantA + "/v2.0"
	for name, token := range map[string]string{
		"tenant that is not allowed": l.token(func(f *fakeentra.Token) { f.Tenant = tenantC }),
		"personal account":           l.token(func(f *fakeentra.Token) { f.Tenant = fakeentra.ConsumerTenant }),
		"tid of another tenant":      l.token(claim("tid", tenantB)),
		"tid in upper case":          l.token(func(f *fakeentra.Token) { f.Tenant = tenantB }, claim("tid", strings.ToUpper(tenantB))),
		"tid not a GUID":             l.token(claim("tid", "contoso.com")),
		"tid a template":             l.token(claim("tid", "{tenantid}"), claim("iss", l.URL+"/{tenantid}/v2.0")),
		"tid common":                 l.token(claim("tid", "common"), claim("iss", l.URL+"/common/v2.0")),
		"tid missing":                l.token(claim("tid", nil)),
		"tid with a path":            l.token(claim("tid", "../"+tenantA[3:])),
		"iss of version 1":           l.token(claim("iss", l.URL+"/"+tenantA+"/")),
		"iss of version 2":           l.token(func(f *fakeentra.Token) { f.Version = "1.0" }, claim("iss", v2)),
		"iss with a slash":           l.token(claim("iss", v2+"/")),
		"iss in upper case":          l.token(claim("iss", strings.ToUpper(v2))),
		"iss with a look-alike":      l.token(claim("iss", strings.Replace(v2, "v", "ⅴ", 1))),
		"iss of another host":        l.token(claim("iss", "https://login.evil.example/"+tenantA+"/v2.0")),
		"iss missing":                l.token(claim("iss", nil)),
		"iss a list":                 l.token(claim("iss", []string{v2})),
		"ver missing":                l.token(claim("ver", nil)),
		"ver 3":                      l.token(claim("ver", "3.0")),
		"ver a number":               l.token(claim("ver", 2.0)),
	} {
		_, err := check(l.guard, token)
		wantRefusal(t, name, err, http.StatusUnauthorized)
	}
	if got := l.Requests(fakeentra.Discovery) + l.Requests(fakeentra.Keys); got != 0 {
		t.Errorf("%d requests to Entra, want none", got)
	}
}

func TestT10KeySignsForItsOwnTenantsOnly(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t, func(c *config.Auth) { c.AzureAllowedTenants = []string{"*"} })
	general := l.AddKey(newRSAKey())
	ofC := l.AddTenantKey(newRSAKey(), tenantC)
	consumer := l.AddTenantKey(newRSAKey(), fakeentra.ConsumerTenant)
	for _, test := range []struct {
		tenant, kid string
		want        bool
	}{
		{tenantA, general, true},
		{tenantC, general, true},
		{tenantC, ofC, true},
		{fakeentra.ConsumerTenant, consumer, true},
		{tenantA, ofC, false},
		{tenantA, consumer, false},
		{fakeentra.ConsumerTenant, general, false},
		{fakeentra.ConsumerTenant, ofC, false},
	} {
		for _, version := range []string{"1.0", "2.0"} {
			_, err := check(l.guard, l.token(func(f *fakeentra.Token) {
				f.Version, f.Tenant, f.KeyID = version, test.tenant, test.kid
			}))
			if what := fmt.Sprintf("version %s, tenant %s, key %s", version, test.tenant, test.kid); !test.want {
				wantRefusal(t, what, err, http.StatusUnauthorized)
			} else if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func TestT10KeyWithoutIssuerIsNotForAllTenants(t *testing.T) {
	t.Parallel()
	g := &entra{entraSettings: &entraSettings{cloud: cloud{"https://login.example.com", "https://sts.example.com"}}}
	id := identity{version: entraV2, tenant: tenantA}
	if err := g.checkKeyIssuer(key{}, id, false); err != nil {
		t.Errorf("in a tenant's own set: %v", err)
	}
	if err := g.checkKeyIssuer(key{}, id, true); err == nil {
		t.Error("in the common set: accepted")
	}
}

func TestT13OnlyUsersWithTheScopesPass(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t, func(c *config.Auth) {
		c.AzureRequiredScopes = []string{"repo.write", "api://" + clientID + "/Files.Read"}
		c.AzureAllowedClientIDs = []string{strings.ToUpper(vsCode)}
	})
	enough := []string{"Files.Read", "repo.write"}
	for _, test := range []struct {
		what   string
		change func(*fakeentra.Token)
		status int
		code   string
	}{
		{"enough", func(f *fakeentra.Token) { f.Scopes = enough }, 0, ""},
		{"more", func(f *fakeentra.Token) { f.Scopes = append(enough, "x") }, 0, ""},
		{"one missing", func(f *fakeentra.Token) { f.Scopes = enough[:1] }, 403, CodeInsufficientScopes},
		{"a longer one", func(f *fakeentra.Token) { f.Scopes = []string{"Files.Read", "repo.write2"} }, 403, CodeInsufficientScopes},
		{"other letters", func(f *fakeentra.Token) { f.Scopes = []string{"files.read", "repo.write"} }, 403, CodeInsufficientScopes},
		{"separated by a comma", claim("scp", "Files.Read,repo.write"), 403, CodeInsufficientScopes},
		{"separated by blanks", claim("scp", " Files.Read  repo.write "), 0, ""},
		{"separated by a tab", claim("scp", "Files.Read\trepo.write"), 401, CodeAuthenticationRequired},
		{"separated by a line break", claim("scp", "Files.Read\nrepo.write"), 401, CodeAuthenticationRequired},
		{"separated by U+00A0", claim("scp", "Files.Read\u00a0repo.write"), 401, CodeAuthenticationRequired},
		{"separated by U+2003", claim("scp", "Files.Read\u2003repo.write"), 401, CodeAuthenticationRequired},
		{"separated by U+0085", claim("scp", "Files.Read\u0085repo.write"), 401, CodeAuthenticationRequired},
		{"no scp", func(f *fakeentra.Token) { f.Scopes = nil }, 401, CodeAuthenticationRequired},
		{"scp a number", claim("scp", 1), 401, CodeAuthenticationRequired},
		{"scp with a tab and a quote", claim("scp", "Files.Read repo.write a\"b"), 401, CodeAuthenticationRequired},
		{"application", func(f *fakeentra.Token) { f.App, f.Roles = true, []string{"Files.Read"} }, 403, CodePrincipalNotAllowed},
		{"application without idtyp", func(f *fakeentra.Token) {
			f.App, f.Roles, f.Claims = true, []string{"a"}, map[string]any{"idtyp": nil}
		}, 403, CodePrincipalNotAllowed},
		{"application with scp", func(f *fakeentra.Token) {
			f.App, f.Claims = true, map[string]any{"scp": "Files.Read repo.write"}
		}, 403, CodePrincipalNotAllowed},
		{"no oid", func(f *fakeentra.Token) { f.Scopes, f.Claims = enough, map[string]any{"oid": nil} }, 401, CodeAuthenticationRequired},
		{"another client", func(f *fakeentra.Token) { f.Scopes, f.ClientID = enough, clientID }, 403, CodePrincipalNotAllowed},
		{"azp in place of appid", func(f *fakeentra.Token) {
			f.Version, f.Scopes, f.ClientID = "1.0", enough, clientID
			f.Claims = map[string]any{"azp": vsCode}
		}, 403, CodePrincipalNotAllowed},
	} {
		_, err := check(l.guard, l.token(test.change))
		if test.status == 0 {
			if err != nil {
				t.Errorf("%s: %v", test.what, err)
			}
			continue
		}
		if e := wantRefusal(t, test.what, err, test.status); e.Code != test.code {
			t.Errorf("%s: code %s, want %s", test.what, e.Code, test.code)
		}
	}
	_, err := check(l.guard, l.token(func(f *fakeentra.Token) { f.Scopes = []string{"x"} }))
	e := wantRefusal(t, "both missing", err, http.StatusForbidden)
	if want := "Token missing required scopes: repo.write Files.Read"; e.Message != want {
		t.Errorf("message %q, want %q", e.Message, want)
	}
	if want := "api://" + clientID + "/repo.write api://" + clientID + "/Files.Read"; e.Challenge.Scope != want {
		t.Errorf("challenge asks for %q, want %q", e.Challenge.Scope, want)
	}
}

func TestEntraSettingsThatGuardNothingStopTheApp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*config.Auth)
		want   string
	}{
		"no client id":        {func(c *config.Auth) { c.AzureClientID = "" }, "azure_client_id"},
		"client id a name":    {func(c *config.Auth) { c.AzureClientID = "my-app" }, "azure_client_id"},
		"no tenant":           {func(c *config.Auth) { c.AzureTenantID = "" }, "no tenant"},
		"tenant common":       {func(c *config.Auth) { c.AzureTenantID = "common" }, `tenant "common"`},
		"star among tenants":  {func(c *config.Auth) { c.AzureAllowedTenants = []string{tenantA, "*"} }, `tenant "*"`},
		"authority by http":   {func(c *config.Auth) { c.AzureAuthority = "http://login.example.com" }, "azure_authority"},
		"authority with path": {func(c *config.Auth) { c.AzureAuthority = "https://login.example.com/" + tenantA }, "azure_authority"},
		"scope with a quote":  {func(c *config.Auth) { c.AzureRequiredScopes = []string{`a"b`} }, "azure_required_scopes"},
		"method unknown":      {func(c *config.Auth) { c.Method = "oidc" }, "oidc"},
		"no method":           {func(c *config.Auth) { c.Method = "" }, "unknown auth method"},
	} {
		cfg := config.Auth{Method: config.AuthAzureOBO, AzureClientID: clientID, AzureTenantID: tenantA}
		test.change(&cfg)
		if _, err := New(cfg, Env{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error about %s", name, err, test.want)
		}
	}
}

func TestCloudsNameTheirIssuers(t *testing.T) {
	t.Parallel()
	for authority, want := range map[string][2]string{
		"":                               {"https://sts.windows.net/t/", "https://login.microsoftonline.com/t/v2.0"},
		"login.microsoftonline.com":      {"https://sts.windows.net/t/", "https://login.microsoftonline.com/t/v2.0"},
		"https://login.windows.net/":     {"https://sts.windows.net/t/", "https://login.microsoftonline.com/t/v2.0"},
		"login.microsoftonline.us":       {"https://sts.windows.net/t/", "https://login.microsoftonline.us/t/v2.0"},
		"https://login.chinacloudapi.cn": {"https://sts.chinacloudapi.cn/t/", "https://login.partner.microsoftonline.cn/t/v2.0"},
		"https://127.0.0.1:8443":         {"https://127.0.0.1:8443/t/", "https://127.0.0.1:8443/t/v2.0"},
	} {
		c, err := cloudFor(config.Auth{AzureAuthority: authority}, Env{})
		if err != nil {
			t.Errorf("%s: %v", authority, err)
			continue
		}
		if got := [2]string{c.issuer(entraV1, "t"), c.issuer(entraV2, "t")}; got != want {
			t.Errorf("%s: issuers %q, want %q", authority, got, want)
		}
		for _, version := range []string{entraV1, entraV2} {
			if u, err := url.Parse(c.discovery(version, tenantTemplate)); err != nil || !strings.HasPrefix(u.Path, "/common/") {
				t.Errorf("%s: discovery of all tenants at %v", authority, u)
			}
		}
	}
}
