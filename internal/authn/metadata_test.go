package authn

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestMetadataNameWhereTokensComeFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg             config.Auth
		servers, scopes []string
	}{
		"none":          {config.Auth{Method: config.AuthNone}, nil, nil},
		"issuer":        {config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://x", OAuth2RequiredScopes: []string{"a", "offline_access"}}, []string{"https://x"}, []string{"a"}},
		"introspection": {config.Auth{Method: config.AuthOAuth2Bearer, OAuth2IntrospectionEndpoint: "https://x"}, nil, nil},
		"GitHub": {config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://github.com", OAuth2Audience: []string{"any"}},
			[]string{"https://github.com/login/oauth"}, nil},
		"Entra": {config.Auth{Method: config.AuthAzureOBO, AzureClientID: clientID, AzureAllowedTenants: []string{tenantA, tenantB}},
			[]string{"https://login.microsoftonline.com/" + tenantA + "/v2.0", "https://login.microsoftonline.com/" + tenantB + "/v2.0"},
			[]string{"api://" + clientID + "/.default"}},
		"Entra, all tenants": {config.Auth{Method: config.AuthAzureOBO, AzureClientID: clientID, AzureAllowedTenants: []string{"*"}, AzureRequiredScopes: []string{"a"}},
			[]string{"https://login.microsoftonline.com/organizations/v2.0"}, []string{"api://" + clientID + "/a"}},
	} {
		got, err := Metadata(test.cfg, Env{Resource: resource})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if test.servers == nil {
			if got != nil {
				t.Errorf("%s: got %+v, want none", name, got)
			}
			continue
		}
		if got == nil || got.Resource != resource || !cmp.Equal(got.AuthorizationServers, test.servers) ||
			!cmp.Equal(got.ScopesSupported, test.scopes) && len(got.ScopesSupported)+len(test.scopes) > 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestMetadataAreReadByTheSDKsClient(t *testing.T) {
	t.Parallel()
	cfg := config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://issuer.example", OAuth2RequiredScopes: []string{"a"}}
	want, err := Metadata(cfg, Env{Resource: resource})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(auth.ProtectedResourceMetadataHandler(want))
	defer s.Close()
	got, err := oauthex.GetProtectedResourceMetadata(t.Context(), s.URL, resource, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
