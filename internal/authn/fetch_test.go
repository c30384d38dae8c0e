package authn

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestT20BrokenEntraIsOurOutage(t *testing.T) {
	t.Parallel()
	var metadata atomic.Int32
	link := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { metadata.Add(1) }))
	defer link.Close()
	for name, broken := range map[string]http.Handler{
		"outage":        fakeentra.Outage(),
		"garbage":       fakeentra.Garbage(),
		"2 MiB":         fakeentra.Huge(2 << 20),
		"redirect away": fakeentra.Redirect(link.URL + "/latest/meta-data"),
		"redirect loop": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }),
		"empty":         http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		"dropped":       http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newEntraLab(t)
			l.Break(broken)
			_, err := check(l.guard, l.token())
			e := wantRefusal(t, "before the first key", err, http.StatusServiceUnavailable)
			if e.Code != CodeUnavailable || e.RetryAfter <= 0 || e.Challenge != nil {
				t.Errorf("got %+v", e)
			}
			l.Mend()
			l.clock.advance(keysMaxPause)
			if _, err := check(l.guard, l.token()); err != nil {
				t.Fatalf("mended: %v", err)
			}
			l.Break(broken)
			l.clock.advance(keysTTL - time.Minute)
			if _, err := check(l.guard, l.token()); err != nil {
				t.Errorf("after a day without: %v", err)
			}
			l.clock.advance(time.Minute)
			_, err = check(l.guard, l.token())
			wantRefusal(t, "after more than a day", err, http.StatusServiceUnavailable)
		})
	}
	t.Cleanup(func() {
		if got := metadata.Load(); got != 0 {
			t.Errorf("%d requests to where the redirect led, want 0", got)
		}
	})
}

// TestT20SlowAnswersEnd uses a client with a shorter timeout, as the real one is for people.
func TestT20SlowAnswersEnd(t *testing.T) {
	t.Parallel()
	s := fakeentra.Start(fakeentra.Options{Tenants: []string{tenantA}, Key: rsaKey()})
	defer s.Close()
	s.Break(fakeentra.Slow(10 * time.Millisecond))
	f := newFetcher(Env{Transport: s.Client().Transport, Development: true})
	if f.client.Timeout != fetchTimeout {
		t.Errorf("timeout is %v, want %v", f.client.Timeout, fetchTimeout)
	}
	f.client.Timeout = 100 * time.Millisecond
	if _, err := f.get(t.Context(), s.URL+"/common/discovery/keys"); err == nil {
		t.Error("an answer without end was read")
	}
}

func TestT23ParallelFirstRequestsAskEntraOnce(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	token := l.token()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, err := check(l.guard, token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if d, k := l.Requests(fakeentra.Discovery), l.Requests(fakeentra.Keys); d != 1 || k != 1 {
		t.Errorf("%d discovery and %d key requests, want 1 and 1", d, k)
	}
}

func TestT21RotationIsFollowed(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	old := l.token()
	if _, err := check(l.guard, old); err != nil {
		t.Fatal(err)
	}
	l.clock.advance(time.Second)
	l.AddKey(newRSAKey())
	if _, err := check(l.guard, l.token()); err != nil {
		t.Errorf("new key: %v", err)
	}
	if got := l.Requests(fakeentra.Keys); got != 2 {
		t.Errorf("%d key requests, want 2", got)
	}
	header, _ := parts(t, old)
	l.RemoveKey(header["kid"].(string))
	l.clock.advance(keysRefresh + keysJitter)
	_, err := check(l.guard, old)
	wantRefusal(t, "withdrawn key", err, http.StatusUnauthorized)
}

func TestT24OnlyPublicAddressesAreConnectedTo(t *testing.T) {
	t.Parallel()
	const always, notPrivate, notLoopback, never = "always", "unless private", "unless development", "never"
	for _, test := range []struct{ addr, allowed string }{
		{"20.190.128.1", always}, {"[2603:1026::1]", always}, {"[64:ff9b::20.190.128.1]", always},
		{"10.0.0.1", notPrivate}, {"172.16.0.1", notPrivate}, {"192.168.1.1", notPrivate}, {"[fd00::1]", notPrivate},
		{"[::ffff:10.0.0.1]", notPrivate}, {"[64:ff9b::10.0.0.1]", notPrivate},
		{"127.0.0.1", notLoopback}, {"127.8.8.8", notLoopback}, {"[::1]", notLoopback}, {"[::ffff:127.0.0.1]", notLoopback},
		{"169.254.169.254", never}, {"[::ffff:169.254.169.254]", never}, {"[64:ff9b::169.254.169.254]", never},
		{"[fe80::1]", never}, {"[fe80::1%eth0]", never}, {"168.63.129.16", never}, {"0.0.0.0", never}, {"[::]", never},
		{"100.64.0.1", never}, {"224.0.0.1", never}, {"255.255.255.255", never}, {"240.0.0.1", never}, {"[ff02::1]", never},
		{"192.0.0.192", never}, {"198.18.0.1", never}, {"[2002:a9fe:a9fe::1]", never}, {"[2001::1]", never}, {"[::7f00:1]", never},
	} {
		for name, mode := range map[string]struct{ development, private, want bool }{
			"by default":           {false, false, test.allowed == always},
			"with private issuers": {false, true, test.allowed == always || test.allowed == notPrivate},
			"in development":       {true, false, test.allowed != never},
			"in both":              {true, true, test.allowed != never},
		} {
			err := checkAddress(test.addr+":443", mode.development, mode.private)
			if got := err == nil; got != mode.want {
				t.Errorf("%s %s: allowed %v, want %v", test.addr, name, got, mode.want)
			}
		}
	}
}

// TestT24NoSpellingOfAnAddressConnects uses the transport itself: what counts is the address after
// the name has been resolved, by any resolver.
func TestT24NoSpellingOfAnAddressConnects(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	client := &http.Client{Transport: NewTransport(false, true), Timeout: fetchTimeout}
	defer client.CloseIdleConnections()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		if resp, err := client.Get("http://" + host + port); err == nil {
			resp.Body.Close()
			t.Errorf("%s: connected", host)
		} else if !strings.Contains(err.Error(), "not allowed") {
			t.Errorf("%s: %v, want a refusal of ours", host, err)
		}
	}
	if got := hits.Load(); got != 0 {
		t.Errorf("%d requests arrived, want 0", got)
	}
	development := &http.Client{Transport: NewTransport(true, false)}
	defer development.CloseIdleConnections()
	resp, err := development.Get(s.URL)
	if err != nil {
		t.Fatalf("in development: %v", err)
	}
	resp.Body.Close()
}

func TestT24IssuersAreReachedByHTTPS(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct{ production, development bool }{
		"https://login.example.com":           {true, true},
		"https://login.example.com:8443/a?b":  {true, true},
		"http://127.0.0.1:8080/realm":         {false, true},
		"http://localhost":                    {false, true},
		"http://[::1]:80":                     {false, true},
		"http://login.example.com":            {false, false},
		"http://localhost.evil.example":       {false, false},
		"http://127.0.0.1.evil.example":       {false, false},
		"https://user:secret@login.example":   {false, false},
		"https://login.example.com/#fragment": {false, false},
		"file:///etc/passwd":                  {false, false},
		"https:///path":                       {false, false},
		"https:login.example.com":             {false, false},
		"//login.example.com":                 {false, false},
		"login.example.com":                   {false, false},
		"":                                    {false, false},
	} {
		if got := checkURL(raw, false) == nil; got != want.production {
			t.Errorf("%q: allowed %v, want %v", raw, got, want.production)
		}
		if got := checkURL(raw, true) == nil; got != want.development {
			t.Errorf("%q in development: allowed %v, want %v", raw, got, want.development)
		}
	}
}

// TestT24DocumentCannotSendUsElsewhere: what a fetched document names is bound to where it is from.
func TestT24DocumentCannotSendUsElsewhere(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer elsewhere.Close()
	for _, uri := range []string{elsewhere.URL + "/keys", "https://169.254.169.254/", "http://127.0.0.1/keys", "file:///etc/passwd", "/keys", ""} {
		s := httptest.NewUnstartedServer(nil)
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL, uri)
		})
		s.StartTLS()
		f := newFetcher(Env{Transport: s.Client().Transport})
		if _, err := f.discoveredKeys(t.Context(), s.URL+"/.well-known/openid-configuration", s.URL, nil); err == nil {
			t.Errorf("jwks_uri %q: followed", uri)
		}
		s.Close()
	}
	if got := hits.Load(); got != 0 {
		t.Errorf("%d requests elsewhere, want 0", got)
	}
}

func TestTransportIsTheGuardedOneByDefault(t *testing.T) {
	t.Parallel()
	g := newGuard(t, config.Auth{
		Method: config.AuthAzureOBO, AzureClientID: clientID, AzureTenantID: tenantA, AzureAuthority: "https://127.0.0.1:1",
	}, Env{})
	l := newEntraLab(t)
	issuer := "https://127.0.0.1:1/" + tenantA + "/v2.0"
	token := l.token(claim("iss", issuer), claim("exp", time.Now().Unix()+600), claim("iat", nil), claim("nbf", nil))
	_, err := check(g, token)
	e := wantRefusal(t, "issuer on loopback", err, http.StatusServiceUnavailable)
	if !strings.Contains(e.Error(), "not allowed") {
		t.Errorf("got %v, want a refusal to connect", e)
	}
}
