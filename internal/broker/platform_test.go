package broker

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A fakePlatform is the managed identity endpoint of App Service. Its tokens say what they are for
// and of which identity.
type fakePlatform struct {
	url string

	mu     sync.Mutex
	header string
	broken http.HandlerFunc
}

func startPlatform(t *testing.T) *fakePlatform {
	p := &fakePlatform{header: "platform-header"}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.url = s.URL + "/MSI/token/"
	return p
}

func (p *fakePlatform) install(l *lab) {
	l.environ["IDENTITY_ENDPOINT"], l.environ["IDENTITY_HEADER"] = p.url, "platform-header"
}

func (p *fakePlatform) rotate(header string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.header = header
}

func (p *fakePlatform) breakWith(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = h
}

func (p *fakePlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	header, broken := p.header, p.broken
	p.mu.Unlock()
	q := r.URL.Query()
	switch {
	case broken != nil:
		broken(w, r)
	case r.Header.Get("X-IDENTITY-HEADER") != header:
		http.Error(w, `{"statusCode":401}`, http.StatusUnauthorized)
	case q.Get("api-version") != "2019-08-01" || q.Get("resource") == "":
		http.Error(w, `{"statusCode":400}`, http.StatusBadRequest)
	default:
		fmt.Fprintf(w, `{"access_token":"platform-token %s %s","client_id":%q,"expires_on":"1893456000","not_before":"1","resource":%q,"token_type":"Bearer"}`,
			q.Get("resource"), q.Get("client_id"), q.Get("client_id"), q.Get("resource"))
	}
}

// appIdentity makes a lab's server one of method azure_default.
func appIdentity(l *lab) { l.auth = config.Auth{Method: config.AuthAzureDefault} }

func TestAppsOwnIdentityIsPassedOn(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	l := newLab(t, p.install, appIdentity)
	l.auth.AzureClientID = clientID
	vars := environ(t, l.lease(nil))
	if vars["IDENTITY_HEADER"] == "platform-header" || vars["IDENTITY_ENDPOINT"] == p.url {
		t.Fatalf("the platform's own endpoint was given away: %v", vars)
	}
	r := request(t, vars, graph)
	r.URL.RawQuery += "&client_id=" + vsCode
	want := token{"platform-token " + graph + " " + clientID, "1893456000", graph, "Bearer", clientID}
	if got := send(t, r); got.token != want {
		t.Errorf("got %d %s, want %+v", got.status, got.raw, want)
	}
}

func TestHeaderOfThePlatformIsTheCurrentOne(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	l := newLab(t, p.install, appIdentity)
	vars := environ(t, l.lease(nil))
	p.rotate("platform-header-2")
	if got := ask(t, vars, arm); got.status != http.StatusBadRequest || got.code != "temporarily_unavailable" {
		t.Errorf("with the old header: %d %s", got.status, got.raw)
	}
	l.setenv("IDENTITY_HEADER", "platform-header-2")
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Errorf("with the new header: %d %s", got.status, got.raw)
	}
}

func TestAppsOwnIdentityKeepsToItsScopes(t *testing.T) {
	t.Parallel()
	l := newLab(t, startPlatform(t).install, appIdentity)
	l.auth.AzureScopes = []string{arm + "/.default"}
	vars := environ(t, l.lease(nil))
	if got := ask(t, vars, arm+"/"); got.status != http.StatusOK {
		t.Errorf("got %d %s", got.status, got.raw)
	}
	if got := ask(t, vars, graph); got.code != "invalid_resource" {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

func TestPlatformThatFailsIsNotQuoted(t *testing.T) {
	t.Parallel()
	p := startPlatform(t)
	l := newLab(t, p.install, appIdentity)
	vars := environ(t, l.lease(nil))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect") }))
	defer elsewhere.Close()
	for name, h := range map[string]http.HandlerFunc{
		"error":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "platform-canary", http.StatusBadGateway) },
		"no token": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"token":"platform-canary"}`)) },
		"date": func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"access_token":"x","expires_on":"platform-canary"}`))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
	} {
		p.breakWith(h)
		if got := ask(t, vars, arm); got.status != http.StatusBadRequest || got.description != errUnavailable.description {
			t.Errorf("%s: got %d %s", name, got.status, got.raw)
		}
	}
}

func TestNothingListensWhereThereIsNothingToGive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := l.signedIn(alice)
	for _, method := range []config.AuthMethod{config.AuthNone, config.AuthOAuth2Bearer, config.AuthAzureDefault} {
		l.auth.Method = method
		if vars := environ(t, l.lease(u)); vars["IDENTITY_ENDPOINT"] != "" || vars[tokenCredentials] != "" {
			t.Errorf("%s: got %v", method, vars)
		}
	}
	if l.broker.origin != "" {
		t.Errorf("listens at %s", l.broker.origin)
	}
}
