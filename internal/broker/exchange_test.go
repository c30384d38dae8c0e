package broker

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// TestUsersNeverCross has many users ask at once and looks at whose token each one gets.
func TestUsersNeverCross(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const users, rounds = 12, 6
	var wg sync.WaitGroup
	for i := range users {
		u := l.signedIn(alice[:34] + string("0123456789ab"[i]) + "0")
		vars := environ(t, l.lease(u))
		for range 2 {
			wg.Go(func() {
				for n := range rounds {
					resource := []string{arm, fabric}[n%2]
					got := ask(t, vars, resource)
					if got.status != http.StatusOK {
						t.Errorf("got %d %s", got.status, got.raw)
						return
					}
					if c := got.claims(t); c["oid"] != u.id || c["aud"] != resource {
						t.Errorf("%s got a token of %v for %v, want for %s", u.id, c["oid"], c["aud"], resource)
					}
				}
			})
		}
	}
	wg.Wait()
	if got, want := l.entra.Requests(fakeentra.Grant), users*2; got != want {
		t.Errorf("%d exchanges, want %d: one for each user and resource", got, want)
	}
}

func TestNewTokenIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	vars := environ(t, l.lease(u))
	exchanges := func(want int) {
		t.Helper()
		if got := ask(t, vars, arm); got.status != http.StatusOK {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
		if got := l.entra.Requests(fakeentra.Grant); got != want {
			t.Errorf("%d exchanges so far, want %d", got, want)
		}
	}
	exchanges(1)
	exchanges(1)
	u.signIn()
	exchanges(2)
	exchanges(2)
	l.advance(56 * time.Minute) // the user's token has 19 minutes left, the one it was exchanged for 4
	exchanges(3)
}

func TestExpiredTokenIsNotExchangedUntilTheUserReturns(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	vars := environ(t, l.lease(u))
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	l.advance(76 * time.Minute)
	for _, resource := range []string{arm, fabric} { // one is in the cache
		if got := ask(t, vars, resource); got.status != http.StatusBadRequest || got.code != "invalid_grant" || got.description != errExpired.description {
			t.Errorf("%s after the token's end: %d %s", resource, got.status, got.raw)
		}
	}
	if got := l.entra.Requests(fakeentra.Grant); got != 1 {
		t.Errorf("%d exchanges, want 1", got)
	}
	u.signIn()
	if got := ask(t, vars, fabric); got.status != http.StatusOK {
		t.Errorf("after signing in again: %d %s", got.status, got.raw)
	}
}

func TestLeaseIsOneUsers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	lease := l.lease(u)
	vars := environ(t, lease)
	mine := u.caller()
	for _, other := range []*authn.Caller{l.signedIn(bob).caller(), nil} {
		u.newest.Store(other)
		if got := ask(t, vars, arm); got.status != http.StatusBadRequest || got.code != "invalid_grant" {
			t.Errorf("got %d %s", got.status, got.raw)
		}
		if vars, err := lease.Environ(nil); err == nil {
			t.Errorf("variables of another user: %v", vars)
		}
	}
	u.newest.Store(mine)
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Errorf("the user again: %d %s", got.status, got.raw)
	}
}

const claims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`

func TestInteractionIsDemandedOfTheNextRequest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.entra.RequireInteraction(arm, claims)
	u := l.signedIn(alice)
	u.signIn(func(t *fakeentra.Token) { t.Continuous = true })
	lease := l.lease(u)
	vars := environ(t, lease)

	if got := ask(t, vars, fabric); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	if got := lease.Challenge(u.caller()); got != nil {
		t.Fatalf("challenged without a reason: %v", got)
	}
	got := ask(t, vars, arm)
	if got.status != http.StatusBadRequest || got.code != "interaction_required" || !strings.Contains(got.description, "AADSTS50076") {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	e := lease.Challenge(u.caller())
	if e == nil {
		t.Fatal("no challenge")
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, nil)
	challenge := w.Header().Get("WWW-Authenticate")
	if w.Code != http.StatusUnauthorized || !strings.Contains(challenge, `claims="`+base64.StdEncoding.EncodeToString([]byte(claims))+`"`) {
		t.Errorf("answered %d %s", w.Code, challenge)
	}
	if e := lease.Challenge(u.caller()); e != nil {
		t.Errorf("challenged twice: %v", e)
	}
	ask(t, vars, arm)
	u.signIn()
	if e := lease.Challenge(u.caller()); e != nil {
		t.Errorf("challenged with a new token: %v", e)
	}
	l.entra.RequireInteraction(arm, "")
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Errorf("once satisfied: %d %s", got.status, got.raw)
	}
}

func TestInvalidGrantWithClaimsIsAnInteraction(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body      string
		challenge bool
	}{
		"claims":          {`{"error":"invalid_grant","claims":"{}"}`, true},
		"no claims":       {`{"error":"invalid_grant","suberror":"consent_required"}`, false},
		"too many claims": {`{"error":"invalid_grant","claims":"` + strings.Repeat("x", maxClaims+1) + `"}`, false},
		"other error":     {`{"error":"invalid_client","claims":"{}"}`, false},
		"interaction":     {`{"error":"interaction_required"}`, true},
	} {
		l := newLab(t)
		u := l.signedIn(alice)
		lease := l.lease(u)
		vars := environ(t, lease)
		l.exchangeBy(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, test.body, http.StatusBadRequest) })
		if got := ask(t, vars, fabric); got.status != http.StatusBadRequest {
			t.Errorf("%s: got %d %s", name, got.status, got.raw)
		}
		if got := lease.Challenge(u.caller()) != nil; got != test.challenge {
			t.Errorf("%s: challenged: %v", name, got)
		}
	}
}

// TestNothingThatTheProviderSaysLeaks has the identity provider repeat what it was sent, among other
// nonsense. The lab looks through the log.
func TestNothingThatTheProviderSaysLeaks(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect") }))
	defer elsewhere.Close()
	for name, test := range map[string]struct {
		exchange http.HandlerFunc
		want     string
	}{
		"error":    {echo(400, `{"error":"invalid_grant","error_description":"%","suberror":"% %","correlation_id":"\u0001%","error_codes":[1`+strings.Repeat(",1", 40)+`]}`), "invalid_grant"},
		"code":     {echo(400, `{"error":"%"}`), errUnavailable.code},
		"no JSON":  {echo(400, `%`), errUnavailable.code},
		"cut off":  {echo(200, `{"access_token":"%"`), errUnavailable.code},
		"error ok": {echo(200, `{"error":"x","error_description":"%"}`), errUnavailable.code},
		"outage":   {echo(503, `{"error":"invalid_grant"}`), errUnavailable.code},
		"garbage":  {fakeentra.Garbage().ServeHTTP, errUnavailable.code},
		"huge":     {echo(200, `{"access_token":"x","expires_in":3600,"token_type":"Bearer","pad":"`+strings.Repeat("x", maxAnswer)+`"}`), errUnavailable.code},
		"redirect": {http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP, errUnavailable.code},
	} {
		l := newLab(t)
		l.exchangeBy(test.exchange)
		got := ask(t, environ(t, l.lease(l.signedIn(alice))), arm)
		if got.status != http.StatusBadRequest || got.code != test.want || len(got.description) > 200 {
			t.Errorf("%s: got %d %s", name, got.status, got.raw)
		}
		if strings.Contains(got.raw, secret) || strings.Contains(got.raw, "eyJ") {
			t.Errorf("%s: a secret in %s", name, got.raw)
		}
	}
}

// echo answers with what was posted, in place of each %.
func echo(status int, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		sent := r.PostForm.Get("client_secret") + r.PostForm.Get("assertion")[:20]
		w.WriteHeader(status)
		w.Write([]byte(strings.ReplaceAll(format, "%", sent)))
	}
}

func TestManagedIdentityStandsInForTheSecret(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	l := newLab(t, p.install, func(l *lab) {
		l.auth.AzureClientSecret = ""
		l.environ["OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"] = vsCode
		l.entra.AddApp(fakeentra.App{ClientID: clientID, Assertion: func(jwt string) error {
			if jwt != "platform-token api://AzureADTokenExchange "+vsCode {
				return errors.New("no assertion of the identity: " + jwt)
			}
			return nil
		}})
	})
	vars := environ(t, l.lease(l.signedIn(alice)))
	if got := ask(t, vars, arm); got.status != http.StatusOK || got.claims(t)["oid"] != alice {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	p.rotate("platform-header-2")
	if got := ask(t, vars, fabric); got.code != errUnavailable.code || !strings.Contains(l.logged(), "client assertion: the managed identity endpoint answered with status 401") {
		t.Errorf("without an identity: %d %s", got.status, got.raw)
	}
	l.setenv("IDENTITY_HEADER", "platform-header-2")
	if got := ask(t, vars, fabric); got.status != http.StatusOK {
		t.Errorf("after the platform's rotation: %d %s", got.status, got.raw)
	}
	l.setenv("IDENTITY_ENDPOINT", "")
	l.auth.AzureScopes = []string{graph + "/.default"}
	if err := l.broker.Check(Grant{Auth: l.auth, Env: l.env}); err == nil {
		t.Error("no credential, and no error")
	}
}

func TestAudienceOfTheAssertionIsTheClouds(t *testing.T) {
	t.Parallel()
	for authority, want := range map[string]string{
		"https://login.microsoftonline.com":        "api://AzureADTokenExchange",
		"https://login.microsoftonline.us":         "api://AzureADTokenExchangeUSGov",
		"https://login.partner.microsoftonline.cn": "api://AzureADTokenExchangeChina",
	} {
		if got := exchangeAudience(authority); got != want {
			t.Errorf("%s: %s, want %s", authority, got, want)
		}
	}
}

func TestUnusableAuthorityIsFoundBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.auth.AzureAuthority = "http://127.0.0.1:1"
	if err := l.broker.Check(Grant{Auth: l.auth}); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}
