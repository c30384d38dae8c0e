package broker

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestVariablesAreTheDocumentedOnes(t *testing.T) {
	t.Parallel()
	const other = "https://login.microsoftonline.us"
	app := map[string]string{
		"IDENTITY_ENDPOINT": "http://platform", "IDENTITY_HEADER": "canary", "MSI_ENDPOINT": "http://platform", "MSI_SECRET": "canary",
		"AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "canary", "AZURE_TENANT_ID": "apps-tenant", "AZURE_SUBSCRIPTION_ID": "sub",
		"AZURE_CONFIG_DIR": "/az",
	}
	lookup := func(name string) (string, bool) { v, ok := app[name]; return v, ok }
	caller := &authn.Caller{Token: "token", Subject: "583231", TenantID: tenant, Scopes: []string{"repo:read", "user:read"}}
	obo := config.Auth{Method: config.AuthAzureOBO, AzureClientID: clientID, AzureClientSecret: secret, AzureTenantID: "configured"}
	forwarding := func(a config.Auth) config.Auth { a.ForwardUserToken = true; return a }
	secretless := forwarding(obo)
	secretless.AzureClientSecret, secretless.AzureAuthority = "", other
	for name, test := range map[string]struct {
		auth config.Auth
		want map[string]string
	}{
		"none":                  {config.Auth{Method: config.AuthNone}, map[string]string{}},
		"azure_default, app":    {config.Auth{Method: config.AuthAzureDefault}, map[string]string{"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "apps-tenant", "AZURE_SUBSCRIPTION_ID": "sub", "AZURE_CONFIG_DIR": "/az"}},
		"azure_default, config": {config.Auth{Method: config.AuthAzureDefault, AzureClientID: clientID, AzureTenantID: tenant, AzureAuthority: other}, map[string]string{"AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_AUTHORITY_HOST": other, "AZURE_SUBSCRIPTION_ID": "sub", "AZURE_CONFIG_DIR": "/az"}},
		"azure_obo":             {obo, map[string]string{"AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_USE_OBO": "true"}},
		"azure_obo, forwarded": {forwarding(obo), map[string]string{
			"AZURE_CLIENT_ID": clientID, "AZURE_CLIENT_SECRET": secret, "AZURE_TENANT_ID": tenant, "AZURE_USER_ASSERTION": "token", "AZURE_USE_OBO": "true",
		}},
		"azure_obo, secretless":    {secretless, map[string]string{"AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_USER_ASSERTION": "token", "AZURE_USE_OBO": "true", "AZURE_AUTHORITY_HOST": other}},
		"oauth2_bearer":            {config.Auth{Method: config.AuthOAuth2Bearer}, map[string]string{"OAUTH_USER_ID": "583231", "OAUTH_SCOPES": "repo:read user:read"}},
		"oauth2_bearer, forwarded": {config.Auth{Method: config.AuthOAuth2Bearer, ForwardUserToken: true}, map[string]string{"OAUTH_ACCESS_TOKEN": "token", "OAUTH_USER_ID": "583231", "OAUTH_SCOPES": "repo:read user:read"}},
	} {
		got, err := Variables(test.auth, caller, platform{lookup: lookup}.setting)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestValueThatIsNoValueIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"canary\x00", "can\nary", "canary\r", "canary" + strings.Repeat("x", maxValue)} {
		auth := config.Auth{Method: config.AuthOAuth2Bearer}
		_, err := Variables(auth, &authn.Caller{Subject: value}, noEnv)
		if err == nil || !strings.HasPrefix(err.Error(), "OAUTH_USER_ID: ") || strings.Contains(err.Error(), "can") {
			t.Errorf("%.10q: %v", value, err)
		}
	}
}

func noEnv(string) string { return "" }

func TestProcessOfAUserIsNotStartedForNobody(t *testing.T) {
	t.Parallel()
	for _, method := range []config.AuthMethod{config.AuthAzureOBO, config.AuthOAuth2Bearer} {
		if vars, err := Variables(config.Auth{Method: method}, nil, noEnv); err == nil {
			t.Errorf("%s: %v", method, vars)
		}
	}
}

func TestChainOfCredentialsIsTheOperatorsIfTheyNameIt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	lease := l.lease(l.signedIn(alice))
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"not named": {map[string]string{"A": "1", "IDENTITY_ENDPOINT": "mine"}, "ManagedIdentityCredential"},
		"named":     {map[string]string{tokenCredentials: "prod"}, ""}, // theirs stays
	} {
		vars, err := lease.Environ(test.env)
		if err != nil {
			t.Fatal(err)
		}
		if got := vars[tokenCredentials]; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if !strings.HasPrefix(vars["IDENTITY_ENDPOINT"], "http://127.0.0.1:") {
			t.Errorf("%s: IDENTITY_ENDPOINT is %q", name, vars["IDENTITY_ENDPOINT"])
		}
	}
	app := newLab(t, startPlatform(t).install, appIdentity)
	app.setenv(tokenCredentials, "prod")
	if got := environ(t, app.lease(nil))[tokenCredentials]; got != "prod" {
		t.Errorf("the app's setting became %q", got)
	}
}

func TestScopesSayWhatMayBeAskedFor(t *testing.T) {
	t.Parallel()
	r := resourcesOf([]string{
		arm + "/.default", "https://database.windows.net//.default", graph + "/User.Read", graph + "/Mail.Read",
		"api://" + clientID + "/.default", "api://" + clientID + "/read", "User.Read", "/x",
	})
	for resource, want := range map[string]string{
		arm:                                arm + "/.default",
		arm + "/":                          arm + "//.default",
		arm + "//":                         "",
		"https://database.windows.net":     "https://database.windows.net/.default",
		"https://database.windows.net/":    "https://database.windows.net//.default",
		graph:                              graph + "/User.Read " + graph + "/Mail.Read",
		"api://" + clientID:                "api://" + clientID + "/.default",
		"HTTPS://management.azure.com":     "",
		"https://management.azure.com.x":   "",
		"https://management.azure.com/sub": "",
		"https:/":                          "",
		"":                                 "",
		"/":                                "",
		"User.Read":                        "",
	} {
		scopes, err := r.scopes(resource)
		if got := strings.Join(scopes, " "); got != want || (err == nil) == (want == "") {
			t.Errorf("%q: %q, %v, want %q", resource, got, err, want)
		}
	}
}

func TestProxyIsPassedBy(t *testing.T) {
	t.Parallel()
	const proxy, mine = "http://proxy.invalid:1", "127.0.0.1"
	for name, test := range map[string]struct {
		app, env map[string]string
		want     string
	}{
		"no proxy":         {nil, map[string]string{"NO_PROXY": "a"}, ""},
		"the app's proxy":  {map[string]string{"HTTP_PROXY": proxy, "NO_PROXY": "a,b"}, nil, "a,b," + mine},
		"server's proxy":   {map[string]string{"no_proxy": "a"}, map[string]string{"http_proxy": proxy, "no_proxy": "b"}, "b," + mine},
		"nothing excepted": {map[string]string{"all_proxy": proxy}, nil, mine},
		"switched off":     {map[string]string{"HTTP_PROXY": proxy}, map[string]string{"HTTP_PROXY": ""}, ""},
	} {
		l := newLab(t)
		for k, v := range test.app {
			l.setenv(k, v)
		}
		vars, err := l.lease(l.signedIn(alice)).Environ(test.env)
		if err != nil {
			t.Fatal(err)
		}
		if vars["no_proxy"] != test.want || vars["NO_PROXY"] != test.want {
			t.Errorf("%s: %q and %q, want %q", name, vars["no_proxy"], vars["NO_PROXY"], test.want)
		}
	}
}
