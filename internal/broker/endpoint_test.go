package broker

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

func TestAnswerHasTheFieldsOfTheProtocol(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars := environ(t, l.lease(l.signedIn(alice)))
	got := ask(t, vars, arm)
	if got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.raw)
	}
	want := token{AccessToken: got.token.AccessToken, ExpiresOn: got.token.ExpiresOn, Resource: arm, TokenType: "Bearer", ClientID: clientID}
	if got.token != want {
		t.Errorf("got %+v, want %+v", got.token, want)
	}
	seconds, err := strconv.ParseInt(got.token.ExpiresOn, 10, 64)
	if left := time.Until(time.Unix(seconds, 0)); err != nil || left < 50*time.Minute || left > time.Hour {
		t.Errorf("expires_on %q (%v) is in %v, want about an hour", got.token.ExpiresOn, err, left)
	}
	if claims := got.claims(t); claims["oid"] != alice || claims["aud"] != arm {
		t.Errorf("a token of %v for %v, want of %s for %s", claims["oid"], claims["aud"], alice, arm)
	}
	if got := got.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

// TestRequestIsRefused changes one thing about a good request at a time.
func TestRequestIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars := environ(t, l.lease(l.signedIn(alice)))
	other := environ(t, l.lease(l.signedIn(bob)))
	query := func(change func(url.Values)) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			change(q)
			r.URL.RawQuery = q.Encode()
		}
	}
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
		code   string
	}{
		"no secret":       {func(r *http.Request) { r.Header.Del("X-IDENTITY-HEADER") }, 401, "unauthorized"},
		"guessed secret":  {func(r *http.Request) { r.Header.Set("X-IDENTITY-HEADER", "guess") }, 401, "unauthorized"},
		"cut secret":      {func(r *http.Request) { r.Header.Set("X-IDENTITY-HEADER", vars["IDENTITY_HEADER"][1:]) }, 401, "unauthorized"},
		"secret of other": {func(r *http.Request) { r.Header.Set("X-IDENTITY-HEADER", other["IDENTITY_HEADER"]) }, 401, "unauthorized"},
		"two secrets":     {func(r *http.Request) { r.Header.Add("X-IDENTITY-HEADER", vars["IDENTITY_HEADER"]) }, 401, "unauthorized"},
		"path of nobody":  {func(r *http.Request) { r.URL.Path = "/guess" + tokenPath }, 401, "unauthorized"},
		"path of other":   {func(r *http.Request) { r.URL.Path = mustParse(t, other["IDENTITY_ENDPOINT"]).Path }, 401, "unauthorized"},
		"no path":         {func(r *http.Request) { r.URL.Path = tokenPath }, 401, "unauthorized"},
		"root":            {func(r *http.Request) { r.URL.Path = "/" }, 401, "unauthorized"},
		"unclean path":    {func(r *http.Request) { r.URL.Path = "/" + r.URL.Path }, 401, "unauthorized"},
		"POST":            {func(r *http.Request) { r.Method = http.MethodPost }, 405, "invalid_request"},
		"preflight":       {func(r *http.Request) { r.Method = http.MethodOptions; r.Header.Set("Origin", "https://a.example") }, 405, "invalid_request"},
		"options of all": {func(r *http.Request) {
			r.Method, r.URL = http.MethodOptions, &url.URL{Scheme: "http", Host: r.URL.Host, Opaque: "*"}
		}, 405, "invalid_request"},
		"body":             {func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1 }, 400, "invalid_request"},
		"old protocol":     {query(func(q url.Values) { q.Set("api-version", "2017-09-01") }), 400, "invalid_request"},
		"two versions":     {query(func(q url.Values) { q.Add("api-version", apiVersion) }), 400, "invalid_request"},
		"no resource":      {query(func(q url.Values) { q.Del("resource") }), 400, "invalid_request"},
		"two resources":    {query(func(q url.Values) { q.Add("resource", fabric) }), 400, "invalid_request"},
		"malformed query":  {func(r *http.Request) { r.URL.RawQuery += ";%zz" }, 400, "invalid_request"},
		"foreign resource": {query(func(q url.Values) { q.Set("resource", graph) }), 400, "invalid_resource"},
		"scope":            {query(func(q url.Values) { q.Set("resource", arm+"/.default") }), 400, "invalid_resource"},
		"too large":        {func(r *http.Request) { r.Header.Set("X-Pad", strings.Repeat("x", maxRequest)) }, 431, ""},
	} {
		r := request(t, vars, arm)
		test.change(r)
		got := send(t, r)
		if got.status != test.status || got.code != test.code {
			t.Errorf("%s: got %d %s, want %d %s", name, got.status, got.raw, test.status, test.code)
		}
		for _, header := range []string{"Access-Control-Allow-Origin", "Location"} {
			if got.header.Get(header) != "" {
				t.Errorf("%s: %s is set", name, header)
			}
		}
		if strings.Contains(got.raw, vars["IDENTITY_HEADER"]) || strings.Contains(got.raw, secret) {
			t.Errorf("%s: a secret in %s", name, got.raw)
		}
	}
	if n := l.entra.Requests(fakeentra.Grant); n != 0 {
		t.Errorf("%d exchanges for requests that are refused", n)
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	u := mustParse(t, environ(t, l.lease(l.signedIn(alice)))["IDENTITY_ENDPOINT"])
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(answerTimeout / 2))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000\r\n\r\n", u.Path, u.Host)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized || !resp.Close {
		t.Errorf("got %s, closing: %v", resp.Status, resp.Close)
	}
}

func TestUnknownPathAndWrongSecretLookTheSame(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars := environ(t, l.lease(l.signedIn(alice)))
	wrong := request(t, vars, arm)
	wrong.Header.Set("X-IDENTITY-HEADER", "guess")
	unknown := request(t, vars, arm)
	unknown.URL.Path = "/guess" + tokenPath
	a, b := send(t, wrong), send(t, unknown)
	a.header.Del("Date")
	b.header.Del("Date")
	if a.status != b.status || a.raw != b.raw || !maps.EqualFunc(a.header, b.header, slices.Equal) {
		t.Errorf("got %+v and %+v", a, b)
	}
}

func TestClientIDOfTheRequestMeansNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	r := request(t, environ(t, l.lease(l.signedIn(alice))), arm)
	r.URL.RawQuery += "&client_id=" + vsCode
	if got := send(t, r); got.status != http.StatusOK || got.token.ClientID != clientID {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

func TestProcessThatHurriesIsSlowedDownAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	vars, other := environ(t, l.lease(l.signedIn(alice))), environ(t, l.lease(l.signedIn(bob)))
	var last answer
	for range burst + 100*rate {
		if last = ask(t, vars, graph); last.status != http.StatusBadRequest {
			break
		}
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") != "1" {
		t.Fatalf("got %d %s after %s", last.status, last.raw, last.header.Get("Retry-After"))
	}
	if got := ask(t, other, arm); got.status != http.StatusOK {
		t.Errorf("the other process: %d %s", got.status, got.raw)
	}
	l.advance(time.Second)
	if got := ask(t, vars, arm); got.status != http.StatusOK {
		t.Errorf("a second later: %d %s", got.status, got.raw)
	}
}
