package mcpfunc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// platformSecrets are variables of a Functions app that no other process may have.
var platformSecrets = []string{
	"AzureWebJobsStorage", "AzureWebJobsSecretStorageSas", "AzureWebJobsSecretStorageKeyVaultClientSecret", "AzureWebJobsDashboard",
	"AzureWebJobsMyQueue", "AzureWebJobs__accountKey", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_AUTH_ENCRYPTION_KEY",
	"WEBSITE_AUTH_SIGNING_KEY", "WEBSITE_AUTH_CLIENT_SECRET", "WEBSITE_FUNCTIONS_STARTUPCONTEXT_CACHE", "WEBSITE_SSL_KEY",
	"WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_LOAD_CERTIFICATES", "APPSETTING_AzureWebJobsStorage", "APPSETTING_DB_PASSWORD",
	"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY",
	"MACHINEKEY_DecryptionKey", "MACHINEKEY_ValidationKey", "AzureWebEncryptionKey", "CONTAINER_ENCRYPTION_KEY",
	"CONTAINER_START_CONTEXT_SAS_KEY", "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET", "GITHUB_PROVIDER_AUTHENTICATION_SECRET",
	"FUNCTIONS_EXTENSION_SECRET", "FUNCTIONS_WORKER_TOKEN", "IDENTITY_HEADER", "IDENTITY_ENDPOINT", "MSI_SECRET", "MSI_ENDPOINT",
	"SQLCONNSTR_Main", "SQLAZURECONNSTR_Main", "MYSQLCONNSTR_Main", "POSTGRESQLCONNSTR_Main", "CUSTOMCONNSTR_Main",
	"APIHUBCONNSTR_Main", "DOCDBCONNSTR_Main", "EVENTHUBCONNSTR_Main", "NOTIFICATIONHUBCONNSTR_Main", "REDISCACHECONNSTR_Main",
	"SERVICEBUSCONNSTR_Main", "ConnectionStrings__Main",
	"AzureFunctionsJobHost__secret", "MCPFUNC_TOKEN", "MCPFUNC_ANY",
}

// appSecrets are what an operator may have put beside them. They pass only where inherit_env says so.
var appSecrets = []string{
	"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD", "AZURE_STORAGE_KEY", "AZURE_FEDERATED_TOKEN",
	"DATABASE_URL", "REDIS_PASSWORD", "COSMOS_CONNECTION", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN", "NPM_TOKEN",
	"NPM_CONFIG__AUTHTOKEN", "UV_PUBLISH_TOKEN", "PIP_PASSWORD", "SLACK_BOT_TOKEN", "AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS",
	"STRIPE_KEY", "JWT_SIGNING_KEY", "PORT",
}

// plant puts a value into the app's environment under every name, and returns the names.
func plant(t *testing.T) []string {
	t.Helper()
	all := slices.Concat(platformSecrets, appSecrets)
	for _, name := range all {
		t.Setenv(name, "planted-"+name)
	}
	return all
}

func TestT40NoSecretOfTheHostReachesAnybody(t *testing.T) {
	all := plant(t)
	if len(all) < 60 {
		t.Fatalf("only %d secrets", len(all))
	}
	const nobody = "http://127.0.0.1:1/planted-IDENTITY_ENDPOINT"
	t.Setenv("IDENTITY_ENDPOINT", nobody)
	for _, inherit := range [][]string{nil, {"*"}} {
		t.Run(fmt.Sprint(inherit), func(t *testing.T) {
			l := newAuthLab(t, func(_ *authLab, cfg *Config) {
				for i := range cfg.Servers {
					cfg.Servers[i].InheritEnv = inherit
					cfg.Servers[i].method.ForwardUserToken = i != openServer
				}
				identity := self("identity")
				identity.InheritEnv = inherit
				identity.method = config.Auth{Method: config.AuthAzureDefault}
				cfg.Servers = append(cfg.Servers, identity)
			})
			hidden := all
			if inherit != nil {
				hidden = platformSecrets
			}
			var told strings.Builder // what clients get to read
			for server, token := range map[string]string{
				"entra": l.token(alice), "issuer": l.issuer.token("alice", nil), "open": "", "identity": "",
			} {
				c := l.connect(t, server, token)
				for _, name := range hidden {
					if got := c.env(name); strings.Contains(got, "planted-") {
						t.Errorf("%s: the process sees %s", server, name)
					}
					if slices.ContainsFunc(l.started()[len(l.started())-1], func(v string) bool { return strings.Contains(v, "planted-"+name) }) {
						t.Errorf("%s: the process was given %s", server, name)
					}
				}
				if server == "identity" {
					ask(t, c.env("IDENTITY_ENDPOINT"), c.env("IDENTITY_HEADER"), arm) // fails: nothing listens
				}
				r := c.do("POST", `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"crash"}}`)
				told.WriteString(r.body + fmt.Sprint(r.header))
				bad := l.client(t, server, "garbage").do("POST", listTools)
				told.WriteString(bad.body + fmt.Sprint(bad.header))
			}
			if n := len(l.started()); n < 4 {
				t.Errorf("%d processes were looked at, want 4", n)
			}
			log := strings.ReplaceAll(l.log.String(), nobody, "") // an address that does not answer is not a secret
			for where, text := range map[string]string{"the log": log, "an answer": told.String()} {
				if i := strings.Index(text, "planted-"); i >= 0 {
					t.Errorf("in %s: …%.60s…", where, text[i:])
				}
			}
		})
	}
}

func TestT40ErrorsAtTheStartQuoteNoSecret(t *testing.T) {
	plant(t)
	for _, auth := range []string{
		`{"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_SECRET}"}`,
		`{"method": "azure_obo", "azure_client_id": "` + appID + `", "azure_client_secret": "${AZURE_CLIENT_SECRET}"}`,
		`{"method": "oauth2_bearer", "oauth2_issuer": "${AZURE_CLIENT_SECRET}"}`,
		`{"method": "oauth2_bearer", "oauth2_issuer": "https://x.example", "oauth2_introspection_client_secret": "${AZURE_CLIENT_SECRET}"}`,
		`{"method": "${AZURE_CLIENT_SECRET}"}`,
	} {
		project(t, map[string]string{"mcp_config.json": `{"mcpServers": {"a": {"command": "x", "auth": ` + auth + `}}}`})
		cfg, err := LoadConfig("mcp_config.json")
		if err == nil {
			var app *App
			if app, err = New(cfg, nil); err == nil {
				app.Close()
			}
		}
		if err == nil || strings.Contains(err.Error(), "planted-") {
			t.Errorf("%s: %v", auth, err)
		}
	}
}

func TestT41SecretIsOnlyTheServersThatNamesIt(t *testing.T) {
	settings := map[string]string{"FIRST_KEY": "canary-first", "SECOND_KEY": "canary-second"}
	lookup := func(name string) (string, bool) { v, ok := settings[name]; return v, ok }
	const file = `{"mcpServers": {
		"first":  {"command": "x", "args": ["${FIRST_KEY}"], "env": {"KEY": "${FIRST_KEY}"}},
		"second": {"command": "x", "env": {"KEY": "%s"}}
	}}`
	cfg, err := ParseConfig(fmt.Appendf(nil, file, "${SECOND_KEY}"), lookup)
	if err != nil {
		t.Fatal(err)
	}
	if first, second := fmt.Sprint(cfg.Servers[0]), fmt.Sprint(cfg.Servers[1]); strings.Contains(first, "canary-second") ||
		strings.Contains(second, "canary-first") || !strings.Contains(second, "canary-second") {
		t.Errorf("first: %s\nsecond: %s", first, second)
	}
	if _, err := ParseConfig(fmt.Appendf(nil, file, "${MISSING_KEY}"), lookup); err == nil || !strings.Contains(err.Error(), `server "second"`) ||
		!strings.Contains(err.Error(), "MISSING_KEY") || strings.Contains(err.Error(), "canary") {
		t.Errorf("a missing variable: %v", err)
	}
}

func TestT43BrokerOfOneSessionIsNoUseToAnother(t *testing.T) {
	l := newAuthLab(t)
	hers, his := l.connect(t, "entra", l.token(alice)), l.connect(t, "entra", l.token(bob))
	endpoint, secret := hers.broker()
	otherEndpoint, otherSecret := his.broker()
	for what, try := range map[string][2]string{
		"another's address with one's own secret": {endpoint, otherSecret},
		"one's own address with another's secret": {otherEndpoint, secret},
		"no secret":            {endpoint, ""},
		"a part of the secret": {endpoint, secret[:len(secret)-1]},
		"no such address":      {strings.Replace(endpoint, "/msi", "x/msi", 1), secret},
	} {
		if status, token := ask(t, try[0], try[1], arm); status != http.StatusUnauthorized || token != "" {
			t.Errorf("%s: %d", what, status)
		}
	}
	if status, _ := ask(t, endpoint, secret, arm); status != http.StatusOK {
		t.Errorf("the session's own: %d", status)
	}
}

// Values of tokens become variables of a process. One that is not a single line of reasonable length is
// no value.
func TestT44TokensCannotWriteAnEnvironment(t *testing.T) {
	l := newAuthLab(t)
	for what, claims := range map[string]map[string]any{
		"a subject with a line break": {"sub": "alice\nLD_PRELOAD=/tmp/x.so"},
		"a subject with NUL":          {"sub": "alice\x00LD_PRELOAD=/tmp/x.so"},
		"a scope with a line break":   {"scope": "files:read", "scp": []string{"x\nLD_PRELOAD=/tmp/x.so"}},
		"an endless subject":          {"sub": strings.Repeat("a", 20<<10)},
	} {
		c := l.client(t, "issuer", l.issuer.token("alice", claims))
		r := c.do("POST", initialize)
		if r.status == http.StatusOK && strings.Contains(r.body, `"result"`) {
			t.Errorf("%s: %d %s", what, r.status, r.body)
		}
	}
	if n := len(l.started()); n != 0 {
		t.Errorf("%d processes were started", n)
	}
}

// What the platform's front says of a caller counts only if the platform's front said it, which no
// header can show. A process gets no header at all.
func TestT53HeadersOfTheFrontAreNotBelieved(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, c *Config) { c.AllowedHosts = []string{"127.0.0.1", "canary.example"} })
	spoofed := []string{
		"X-MS-CLIENT-PRINCIPAL: canary-principal", "X-MS-CLIENT-PRINCIPAL-ID: " + bob, "X-MS-CLIENT-PRINCIPAL-NAME: canary-name",
		"X-MS-CLIENT-PRINCIPAL-IDP: aad", "X-MS-TOKEN-AAD-ACCESS-TOKEN: canary-token", "X-MS-TOKEN-AAD-ID-TOKEN: canary-id-token",
		"X-Forwarded-For: 203.0.113.99", "X-Forwarded-Host: canary.example", "X-Forwarded-Proto: canary", "X-Original-URL: /canary",
		"Forwarded: for=203.0.113.99;host=canary.example", "x-functions-key: canary-function-key", "X-Real-IP: 203.0.113.99",
	}
	plain, marked := l.client(t, "entra", ""), l.client(t, "entra", "")
	want, got := plain.do("POST", listTools), marked.do("POST", listTools, spoofed...)
	want.header.Del("Date")
	got.header.Del("Date")
	if got.status != http.StatusUnauthorized || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("without a token: %v, want %v", got, want)
	}
	marked.bring(l.token(alice))
	marked.session = marked.do("POST", initialize, spoofed...).header.Get("Mcp-Session-Id")
	for _, h := range spoofed {
		name, value, _ := strings.Cut(h, ": ")
		marked.header.Set(name, value)
	}
	endpoint, secret := marked.broker()
	if _, token := ask(t, endpoint, secret, arm); claimsOf(t, token)["oid"] != alice {
		t.Errorf("the process acts as %v", claimsOf(t, token)["oid"])
	}
	thief := l.client(t, "entra", l.token(bob))
	thief.session = marked.session
	if r := thief.do("POST", listTools, "X-MS-CLIENT-PRINCIPAL-ID: "+alice); r.status != http.StatusNotFound {
		t.Errorf("bob as alice: %d", r.status)
	}
	for where, text := range map[string]string{"an environment": fmt.Sprint(l.started()), "the log": l.log.String()} {
		for _, canary := range []string{"canary", "203.0.113.99"} {
			if text := strings.ReplaceAll(text, appSecret, ""); strings.Contains(text, canary) {
				t.Errorf("%q is in %s", canary, where)
			}
		}
	}
}

func TestT54AllInvalidTokensLookTheSame(t *testing.T) {
	l := newAuthLab(t)
	change := func(c func(*fakeentra.Token)) string { return l.token(alice, c) }
	good := l.token(alice)
	dot := strings.LastIndexByte(good, '.')
	invalid := []string{
		"x", "a.b.c", good[:dot], good[:dot+1], good + "A", good[:dot+1] + strings.Repeat("A", len(good)-dot-1), strings.Repeat("a", 20<<10),
		"eyJhbGciOiJub25lIn0.e30.", l.issuer.token("alice", nil),
		change(at(-2*time.Hour, -time.Hour)), change(at(time.Hour, 2*time.Hour)),
		change(func(t *fakeentra.Token) { t.Audience = arm }), change(func(t *fakeentra.Token) { t.Audience = "api://" + editor }),
		change(func(t *fakeentra.Token) { t.Tenant = fakeentra.ConsumerTenant }), change(func(t *fakeentra.Token) { t.Scopes = nil }),
		change(func(t *fakeentra.Token) { t.Claims = map[string]any{"ver": "3.0"} }),
		change(func(t *fakeentra.Token) { t.Claims = map[string]any{"iss": "https://evil.example"} }),
		change(func(t *fakeentra.Token) { t.Claims = map[string]any{"oid": nil} }),
		change(func(t *fakeentra.Token) { t.Claims = map[string]any{"exp": nil} }),
		change(func(t *fakeentra.Token) { t.Header = map[string]any{"crit": []string{"x"}} }),
		change(func(t *fakeentra.Token) { t.Header = map[string]any{"kid": "../../etc/passwd"} }),
		change(func(t *fakeentra.Token) { t.Header = map[string]any{"nonce": "x"} }),
	}
	answers := map[string]int{}
	for _, token := range invalid {
		r := l.client(t, "entra", token).do("POST", listTools)
		r.header.Del("Date")
		answers[fmt.Sprint(r)]++
	}
	if len(answers) != 1 {
		t.Errorf("%d kinds of answers to %d invalid tokens: %v", len(answers), len(invalid), answers)
	}
	for _, token := range invalid[:9] {
		if len(token) > 40 && strings.Contains(l.log.String(), token) {
			t.Errorf("a token is in the log")
		}
	}
}

func TestT55NothingOfAConfigurationSplitsAHeader(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) {
		cfg.PublicURL = "https://mcp.example.com/\"\r\nSet-Cookie: a=b"
		cfg.Servers[issuerServer].method.OAuth2Audience = []string{"x"}
	})
	r := l.client(t, "issuer", "").do("POST", listTools)
	if r.status != http.StatusUnauthorized || r.header.Get("Set-Cookie") != "" || strings.ContainsAny(r.header.Get("WWW-Authenticate"), "\r\n") {
		t.Errorf("%d %v", r.status, r.header)
	}
}
