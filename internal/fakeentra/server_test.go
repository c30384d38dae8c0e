package fakeentra

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/golang-jwt/jwt/v5"
)

const (
	tenant   = "11111111-2222-3333-4444-555555555555"
	clientID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	vsCode   = "aebc6443-996d-45c2-90f0-388ff96faa56"
	user     = "99999999-8888-7777-6666-555555555555"
	arm      = "https://management.azure.com"
)

func start(t *testing.T) *Server {
	t.Helper()
	s := Start(Options{Tenants: []string{tenant}})
	t.Cleanup(s.Close)
	s.AddApp(App{ClientID: clientID, Secret: "s3cret"})
	return s
}

func userToken() Token {
	return Token{Tenant: tenant, Audience: clientID, ClientID: vsCode, ObjectID: user, Scopes: []string{"user_impersonation"}}
}

// TestMicrosoftsLibraryExchangesTokens judges the fake by a client that was written for the real
// thing.
func TestMicrosoftsLibraryExchangesTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	client := msalClient(t, s)
	for _, version := range []string{"1.0", "2.0"} {
		token := userToken()
		token.Version = version
		got, err := client.AcquireTokenOnBehalfOf(t.Context(), s.Issue(token), []string{arm + "/.default"})
		if err != nil {
			t.Fatalf("version %s: %v", version, err)
		}
		claims := jwt.MapClaims{}
		if _, _, err := jwt.NewParser().ParseUnverified(got.AccessToken, claims); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"aud": arm, "oid": user, "tid": tenant, "appid": clientID} {
			if claims[name] != want {
				t.Errorf("version %s: %s = %v, want %s", version, name, claims[name], want)
			}
		}
		if left := time.Until(got.ExpiresOn); left < 50*time.Minute || left > time.Hour {
			t.Errorf("version %s: expires in %v, want about an hour", version, left)
		}
	}
}

func TestMicrosoftsLibrarySeesTheClaimsChallenge(t *testing.T) {
	t.Parallel()
	s := start(t)
	const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
	s.RequireInteraction(arm, claims)
	_, err := msalClient(t, s).AcquireTokenOnBehalfOf(t.Context(), s.Issue(userToken()), []string{arm + "/.default"})
	var call msal.CallErr
	if !errors.As(err, &call) {
		t.Fatalf("got %v, want a CallErr", err)
	}
	body, err := io.ReadAll(call.Resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got failure
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if got.Error != "interaction_required" || got.Claims != claims {
		t.Errorf("got error %q with claims %q, want interaction_required with %q", got.Error, got.Claims, claims)
	}
}

func TestAppWithoutSecretPresentsAnAssertion(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.AddApp(App{ClientID: clientID, Assertion: func(jwt string) error {
		if jwt != "of.the.identity" {
			return errors.New("not the managed identity's token")
		}
		return nil
	}})
	for assertion, want := range map[string]bool{"of.the.identity": true, "of.somebody.else": false} {
		credential := confidential.NewCredFromAssertionCallback(
			func(context.Context, confidential.AssertionRequestOptions) (string, error) { return assertion, nil })
		client, err := confidential.New(s.URL+"/"+tenant, clientID, credential,
			confidential.WithHTTPClient(s.Client()), confidential.WithInstanceDiscovery(false))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.AcquireTokenOnBehalfOf(t.Context(), s.Issue(userToken()), []string{arm + "/.default"})
		if got := err == nil; got != want {
			t.Errorf("assertion %s: exchanged %v, want %v (%v)", assertion, got, want, err)
		}
	}
}

func TestBrokenServerRecoversWhenMended(t *testing.T) {
	t.Parallel()
	s := start(t)
	status := func() int {
		resp, err := s.Client().Get(s.URL + "/common/discovery/keys")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	s.Break(Outage())
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("broken: status %d", got)
	}
	s.Mend()
	if got := status(); got != http.StatusOK {
		t.Errorf("mended: status %d", got)
	}
	if got := s.Requests(Keys); got != 2 {
		t.Errorf("%d requests counted, want both", got)
	}
}

func msalClient(t *testing.T, s *Server) confidential.Client {
	t.Helper()
	secret, err := confidential.NewCredFromSecret("s3cret")
	if err != nil {
		t.Fatal(err)
	}
	c, err := confidential.New(s.URL+"/"+tenant, clientID, secret,
		confidential.WithHTTPClient(s.Client()), confidential.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGrantIsRefusedWithEntrasCode(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := func() url.Values {
		return url.Values{
			"grant_type":          {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"client_id":           {clientID},
			"client_secret":       {"s3cret"},
			"assertion":           {s.Issue(userToken())},
			"scope":               {arm + "/.default offline_access"},
			"requested_token_use": {"on_behalf_of"},
		}
	}
	if status, body := post(t, s, good()); status != http.StatusOK {
		t.Fatalf("the unaltered request: %d %s", status, body)
	}
	with := func(change func(*Token)) string {
		token := userToken()
		change(&token)
		return s.Issue(token)
	}
	for name, test := range map[string]struct {
		key, value string
		want       string
	}{
		"wrong secret":     {"client_secret", "guess", "AADSTS7000215"},
		"unknown app":      {"client_id", vsCode, "AADSTS7000215"},
		"other grant":      {"grant_type", "client_credentials", "AADSTS70003"},
		"no token use":     {"requested_token_use", "", "AADSTS900144"},
		"two resources":    {"scope", arm + "/.default https://fabric.microsoft.com/.default", "AADSTS28000"},
		"no scope":         {"scope", "openid", "AADSTS900144"},
		"other audience":   {"assertion", with(func(t *Token) { t.Audience = arm }), "AADSTS50013"},
		"expired":          {"assertion", with(func(t *Token) { t.Lifetime = -time.Hour }), "AADSTS500133"},
		"application":      {"assertion", with(func(t *Token) { t.App = true }), "AADSTS50027"},
		"unsigned":         {"assertion", "eyJhbGciOiJub25lIn0.e30.", "AADSTS50013"},
		"other tenant":     {"assertion", with(func(t *Token) { t.Tenant = ConsumerTenant }), "AADSTS50013"},
		"assertion of own": {"client_assertion", "x.y.z", "AADSTS7000215"},
	} {
		form := good()
		form.Set(test.key, test.value)
		status, body := post(t, s, form)
		if status < 400 || !strings.Contains(body, test.want+":") {
			t.Errorf("%s: got %d %s, want %s", name, status, body, test.want)
		}
	}
}

func TestMetadataNameTheIssuerOfEachVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, want := range map[string]string{
		"/" + tenant:           s.URL + "/" + tenant + "/",
		"/" + tenant + "/v2.0": s.URL + "/" + tenant + "/v2.0",
		"/common/v2.0":         s.URL + "/{tenantid}/v2.0",
	} {
		var document struct{ Issuer string }
		get(t, s, path+"/.well-known/openid-configuration", &document)
		if document.Issuer != want {
			t.Errorf("%s: issuer %q, want %q", path, document.Issuer, want)
		}
	}
	if got := s.Requests(Discovery); got != 3 {
		t.Errorf("%d discovery requests counted, want 3", got)
	}
}

func TestKeysRotateAndKeepToTheirTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.key("").id
	consumer := s.AddTenantKey(nil, ConsumerTenant)
	ids := func(tenant string) map[string]string {
		var set struct {
			Keys []struct{ Kid, Issuer string }
		}
		get(t, s, "/"+tenant+"/discovery/v2.0/keys", &set)
		got := make(map[string]string)
		for _, k := range set.Keys {
			got[k.Kid] = strings.TrimPrefix(k.Issuer, s.URL)
		}
		return got
	}
	if got := ids(tenant); len(got) != 1 || got[first] != "/{tenantid}/v2.0" {
		t.Errorf("keys of the tenant: %v, want %s only", got, first)
	}
	if got := ids("common"); len(got) != 2 || got[consumer] != "/"+ConsumerTenant+"/v2.0" {
		t.Errorf("common keys: %v, want both", got)
	}
	s.RemoveKey(first)
	if got := ids(tenant); len(got) != 0 {
		t.Errorf("keys of the tenant after the removal: %v", got)
	}
}

func get(t *testing.T, s *Server, path string, into any) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func post(t *testing.T, s *Server, form url.Values) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/"+tenant+"/oauth2/v2.0/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}
