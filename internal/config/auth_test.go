package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	tenant = "8a1c1a30-24d5-4d6e-9e6f-000000000001"
	client = "8a1c1a30-24d5-4d6e-9e6f-00000000000A"
)

// authOf parses an auth block on line 2.
func authOf(t *testing.T, block string, lookup func(string) (string, bool)) (Auth, []string, error) {
	t.Helper()
	f, err := one(t, "\"command\": \"x\",\n\"auth\": "+block, lookup)
	if err != nil {
		return Auth{}, nil, err
	}
	return f.Servers[0].Auth, texts(f.Warnings), nil
}

// The four blocks are those of the reference adapter's page.
func TestReferenceExamplesParseAsWritten(t *testing.T) {
	t.Parallel()
	const forwarded = `c.json:2: server "s": "auth.forward_user_token" passes the user's token to the server's process | set it to false unless the server needs the token`
	lookup := environ("AZURE_CLIENT_ID", client, "AZURE_CLIENT_SECRET", "secret")
	for block, want := range map[string]struct {
		auth     Auth
		warnings []string
	}{
		`{"method": "none"}`: {auth: Auth{Method: AuthNone, Line: 2}},
		`{"method": "azure_default", "azure_scopes": ["https://management.azure.com/.default"], "forward_user_token": false}`: {
			auth: Auth{Method: AuthAzureDefault, Line: 2, AzureScopes: []string{"https://management.azure.com/.default"}},
		},
		`{"method": "azure_obo", "azure_client_id": "${AZURE_CLIENT_ID}", "azure_client_secret": "${AZURE_CLIENT_SECRET}",
			"azure_scopes": ["https://management.azure.com/.default", "https://fabric.microsoft.com/.default"], "forward_user_token": true}`: {
			auth: Auth{
				Method: AuthAzureOBO, Line: 2, ForwardUserToken: true, AzureClientID: client, AzureClientSecret: "secret",
				AzureScopes: []string{"https://management.azure.com/.default", "https://fabric.microsoft.com/.default"},
			},
			warnings: []string{`c.json:3` + forwarded[len(`c.json:2`):]},
		},
		`{"method": "oauth2_bearer", "oauth2_required_scopes": ["repo:read", "user:read"],
			"oauth2_issuer": "https://github.com", "forward_user_token": true}`: {
			auth: Auth{
				Method: AuthOAuth2Bearer, Line: 2, ForwardUserToken: true, OAuth2Issuer: "https://github.com",
				OAuth2RequiredScopes: []string{"repo:read", "user:read"},
			},
			warnings: []string{`c.json:3` + forwarded[len(`c.json:2`):]},
		},
	} {
		for name, lookup := range map[string]func(string) (string, bool){"runtime": lookup, "generator": nil} {
			got, warnings, err := authOf(t, block, lookup)
			if err != nil {
				t.Errorf("%s for the %s: %v", block, name, err)
				continue
			}
			if diff := cmp.Diff(want.warnings, warnings); diff != "" {
				t.Errorf("%s: warnings (-want +got):\n%s", block, diff)
			}
			if lookup == nil && got.AzureClientID != "" {
				got.AzureClientID, got.AzureClientSecret = client, "secret"
			}
			if diff := cmp.Diff(want.auth, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", block, diff)
			}
		}
	}
}

func TestEveryAzureKeyIsRead(t *testing.T) {
	t.Parallel()
	got, _, err := authOf(t, `{"method": "azure_obo", "azure_client_id": "`+client+`", "azure_tenant_id": "`+tenant+`",
		"azure_allowed_tenants": ["*"], "azure_allowed_client_ids": ["`+client+`"], "azure_required_scopes": ["user_impersonation"],
		"azure_authority": "https://login.microsoftonline.us"}`, environ())
	if err != nil {
		t.Fatal(err)
	}
	want := Auth{
		Method: AuthAzureOBO, Line: 2, AzureClientID: client, AzureTenantID: tenant,
		AzureAllowedTenants: []string{"*"}, AzureAllowedClientIDs: []string{client},
		AzureRequiredScopes: []string{"user_impersonation"}, AzureScopes: []string{"https://management.azure.com/.default"},
		AzureAuthority: "https://login.microsoftonline.us",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmptyScopeListAllowsNone(t *testing.T) {
	t.Parallel()
	got, _, err := authOf(t, `{"method": "azure_obo", "azure_client_id": "`+client+`", "azure_scopes": []}`, nil)
	if err != nil || got.AzureScopes != nil {
		t.Errorf("got %q, %v", got.AzureScopes, err)
	}
}

func TestAuthBlockThatGuardsNothingIsAnError(t *testing.T) {
	t.Parallel()
	const (
		methods = `"none", "azure_default", "azure_obo" or "oauth2_bearer"`
		obo     = `{"method": "azure_obo", "azure_client_id": "` + client + `", `
		bearer  = `{"method": "oauth2_bearer", "oauth2_issuer": "https://i", `
		guid    = `must be a GUID, such as 00000000-0000-0000-0000-000000000000`
	)
	for block, want := range map[string]string{
		`"none"`:                                     `"auth" must be an object, not a string`,
		`{}`:                                         `"auth.method" is missing | want one of ` + methods,
		`{"method": null}`:                           `"auth.method" is missing | want one of ` + methods,
		`{"method": "azure-obo"}`:                    `"auth.method" must be ` + methods + `, not "azure-obo" | did you mean "azure_obo"?`,
		`{"method": "${M}"}`:                         `"auth.method" must be ` + methods + `, not "${M}"`,
		`{"method": "none", "method": "none"}`:       `"auth.method" is written twice, on lines 2 and 2`,
		`{"method": "none", "metod": 1}`:             `"auth.metod" is not a known key | did you mean "method"?`,
		`{"method": "none", "zzz": null}`:            `"auth.zzz" is not a known key`,
		`{"method": "none", "azure_client_id": "x"}`: `"auth.azure_client_id" is a key of the method "azure_default" or "azure_obo", not of "none" | remove it, or change the method`,
		`{"method": "azure_default", "allow_public": true}`:                `"auth.allow_public" is a key of the method "none", not of "azure_default" | remove it, or change the method`,
		`{"method": "azure_default", "oauth2_issuer": null}`:               `"auth.oauth2_issuer" is a key of the method "oauth2_bearer", not of "azure_default" | remove it, or change the method`,
		`{"method": "none", "forward_user_token": true}`:                   `"auth.forward_user_token" cannot be true with the method "none", which does not identify users | use "azure_obo" or "oauth2_bearer"`,
		`{"method": "azure_default", "forward_user_token": true}`:          `"auth.forward_user_token" cannot be true with the method "azure_default", which does not identify users | use "azure_obo" or "oauth2_bearer"`,
		`{"method": "azure_obo"}`:                                          `"auth.azure_client_id" is missing, and the method "azure_obo" needs it | use the application (client) ID of the app registration that the tokens are for`,
		`{"method": "azure_obo", "azure_client_id": ""}`:                   `"auth.azure_client_id" ` + guid,
		obo + `"azure_tenant_id": "contoso.com"}`:                          `"auth.azure_tenant_id" ` + guid,
		obo + `"azure_client_secret": ""}`:                                 `"auth.azure_client_secret" must not be empty`,
		obo + `"azure_allowed_tenants": []}`:                               `"auth.azure_allowed_tenants" must not be an empty list, which would admit nobody | remove the key, or name at least one caller`,
		obo + `"azure_allowed_tenants": ["*", "` + tenant + `"]}`:          `"auth.azure_allowed_tenants" must be a list of GUIDs | ["*"] alone means any`,
		obo + `"azure_allowed_client_ids": ["*"]}`:                         `"auth.azure_allowed_client_ids" must be a list of GUIDs`,
		obo + `"azure_scopes": ["a b"]}`:                                   `"auth.azure_scopes" must be a list of strings without spaces`,
		obo + `"azure_scopes": "a"}`:                                       `"auth.azure_scopes" must be a list of strings, not a string`,
		obo + `"azure_authority": "login.microsoftonline.us"}`:             `"auth.azure_authority" must be an https URL without user, query and fragment`,
		`{"method": "oauth2_bearer"}`:                                      `"auth.oauth2_issuer" is missing, and the method "oauth2_bearer" needs it`,
		`{"method": "oauth2_bearer", "oauth2_issuer": "http://i.example"}`: `"auth.oauth2_issuer" must be an https URL without user, query and fragment`,
		`{"method": "oauth2_bearer", "oauth2_issuer": "https://u@i"}`:      `"auth.oauth2_issuer" must be an https URL without user, query and fragment`,
		`{"method": "oauth2_bearer", "oauth2_issuer": "https://i?q"}`:      `"auth.oauth2_issuer" must be an https URL without user, query and fragment`,
		bearer + `"oauth2_audience": []}`:                                  `"auth.oauth2_audience" must not be an empty list`,
		bearer + `"oauth2_audience": ""}`:                                  `"auth.oauth2_audience" must not be empty`,
		bearer + `"oauth2_jwks_uri": "ftp://x"}`:                           `"auth.oauth2_jwks_uri" must be an https URL without user and fragment`,
		bearer + `"oauth2_introspection_client_secret": "x"}`:              `"auth.oauth2_introspection_client_id" is missing, and oauth2_introspection_client_secret needs it`,
		bearer + `"oauth2_scope_implies": {"a": "b"}}`:                     `"auth.oauth2_scope_implies.a" must be a list of strings, not a string`,
		bearer + `"forward_user_token": "false"}`:                          `"auth.forward_user_token" must be true or false, not a string`,
	} {
		_, _, err := authOf(t, block, environ())
		if got := sentence(t, err); got != `c.json:2: server "s": `+want {
			t.Errorf("%s:\n got %s\nwant %s", block, got, want)
		}
	}
}

func TestResolvedValueIsCheckedLikeAWrittenOne(t *testing.T) {
	t.Parallel()
	_, _, err := authOf(t, `{"method": "oauth2_bearer", "oauth2_issuer": "${I}"}`, environ("I", "http://s3cret.example"))
	want := `c.json:2: server "s": "auth.oauth2_issuer" must be an https URL without user, query and fragment`
	if got := sentence(t, err); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestSecretInTheFileIsAWarning(t *testing.T) {
	t.Parallel()
	_, got, err := authOf(t, `{"method": "azure_obo", "azure_client_id": "`+client+`", "azure_client_secret": "hunter2"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`c.json:2: server "s": "auth.azure_client_secret" is written in plain text in the file | write ${NAME}, and set NAME as an app setting or Key Vault reference`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoopbackIssuerMayUseHTTP(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost:1", "127.0.0.1", "[::1]:8"} {
		if _, _, err := authOf(t, `{"method": "oauth2_bearer", "oauth2_issuer": "http://`+host+`/a"}`, nil); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}
