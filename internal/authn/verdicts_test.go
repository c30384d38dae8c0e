package authn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// introspect returns a guard that asks a server which gives one answer to everything.
func introspect(t *testing.T, status int, answer string) Guard {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
		if id != "us:er" || secret != "p%ss" || r.Method != http.MethodPost || r.FormValue("token") != "opaque/+~=" {
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	c := newClock()
	return newGuard(t, config.Auth{
		Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://issuer", OAuth2IntrospectionEndpoint: s.URL,
		OAuth2IntrospectionClientID: "us:er", OAuth2IntrospectionClientSecret: "p%ss",
	}, Env{Resource: resource, Transport: s.Client().Transport, Now: c.now})
}

func TestIntrospectionAnswersAreJudged(t *testing.T) {
	t.Parallel()
	now := newClock().now().Unix()
	answer := func(more string) string { return fmt.Sprintf(`{"active":true,"aud":%q,"sub":"u"%s}`, resource, more) }
	for name, test := range map[string]struct {
		status int
		answer string
		want   int // 0: accepted
	}{
		"active":               {200, answer(""), 0},
		"active, with more":    {200, answer(fmt.Sprintf(`,"iss":"https://issuer","exp":%d,"iat":%d`, now+60, now)), 0},
		"not active":           {200, `{"active":false}`, 401},
		"not active, all else": {200, strings.Replace(answer(""), "true", "false", 1), 401},
		"active a string":      {200, strings.Replace(answer(""), "true", `"true"`, 1), 401},
		"active missing":       {200, `{}`, 401},
		"Active":               {200, strings.Replace(answer(""), "active", "Active", 1), 401},
		"active twice":         {200, answer(`,"active":true`), 503},
		"another audience":     {200, `{"active":true,"aud":"x","sub":"u"}`, 401},
		"no audience":          {200, `{"active":true,"sub":"u"}`, 401},
		"another issuer":       {200, answer(`,"iss":"https://x"`), 401},
		"expired":              {200, answer(fmt.Sprintf(`,"exp":%d`, now-61)), 401},
		"exp a string":         {200, answer(`,"exp":"x"`), 401},
		"not yet valid":        {200, answer(fmt.Sprintf(`,"nbf":%d`, now+61)), 401},
		"without a user":       {200, fmt.Sprintf(`{"active":true,"aud":%q}`, resource), 401},
		"bound to a key":       {200, answer(`,"cnf":{"jkt":"x"}`), 401},
		"sub with a NUL":       {200, strings.Replace(answer(""), `"u"`, `"a\u0000b"`, 1), 401},
		"server error":         {500, answer(""), 503},
		"our client unknown":   {401, `{"error":"invalid_client"}`, 503},
		"our request refused":  {400, `{"error":"invalid_request"}`, 503},
		"a kind not judged":    {400, `{"error":"unsupported_token_type"}`, 401},
		"HTML":                 {200, "<html>", 503},
		"too much":             {200, answer(`,"pad":"` + strings.Repeat("x", maxReply) + `"`), 503},
		"redirect":             {307, "", 503},
	} {
		_, err := check(introspect(t, test.status, test.answer), "opaque/+~=")
		if test.want == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantRefusal(t, name, err, test.want)
	}
}

func TestIntrospectedUserNameIsNoSubject(t *testing.T) {
	t.Parallel()
	got, err := check(introspect(t, 200, fmt.Sprintf(`{"active":true,"aud":[%q],"username":"u","scope":"a b"}`, resource)), "opaque/+~=")
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal != "https://issuer\x00username\x00u" || !cmp.Equal(got.Scopes, []string{"a", "b"}) {
		t.Errorf("got %+v", got)
	}
}

// githubAnswers is GitHub as far as a guard asks it, behind whatever address.
type githubAnswers func(r *http.Request) (status int, header http.Header, body string)

func (f githubAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	status, header, body := f(r)
	for name, v := range header {
		w.Header()[name] = v
	}
	w.WriteHeader(status)
	w.WriteString(body)
	return w.Result(), nil
}

func TestGitHubTokensAreBoundToTheApp(t *testing.T) {
	t.Parallel()
	const ours = `{"app":{"client_id":"app"},"user":{"login":"octocat","id":583231},"scopes":["repo","read:user"],"expires_at":null}`
	for name, test := range map[string]struct {
		status int
		body   string
		want   int
	}{
		"ours":             {200, ours, 0},
		"another's":        {404, `{"message":"Not Found"}`, 401},
		"malformed":        {422, `{}`, 401},
		"wrong secret":     {401, `{}`, 503},
		"rate limit":       {403, `{}`, 503},
		"answer of others": {200, strings.Replace(ours, "app\"}", "other\"}", 1), 401},
		"no user":          {200, `{"app":{"client_id":"app"},"user":null}`, 401},
	} {
		g := newGuard(t, config.Auth{
			Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://github.com",
			OAuth2IntrospectionClientID: "app", OAuth2IntrospectionClientSecret: "secret", OAuth2RequiredScopes: []string{"repo"},
		}, Env{Transport: githubAnswers(func(r *http.Request) (int, http.Header, string) {
			id, secret, _ := r.BasicAuth()
			if r.Method+" "+r.URL.String() != "POST https://api.github.com/applications/app/token" || id != "app" || secret != "secret" {
				t.Errorf("asked %s %s as %s", r.Method, r.URL, id)
			}
			return test.status, nil, test.body
		})})
		got, err := check(g, "gho_x")
		if test.want != 0 {
			wantRefusal(t, name, err, test.want)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Principal != "https://github.com\x00583231" || !cmp.Equal(got.Scopes, []string{"repo", "read:user"}) || got.Token != "gho_x" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestGitHubTokensOfAnyAppIfAskedFor(t *testing.T) {
	t.Parallel()
	g := newGuard(t, config.Auth{Method: config.AuthOAuth2Bearer, OAuth2Issuer: "https://github.com", OAuth2Audience: []string{"any"}},
		Env{Transport: githubAnswers(func(r *http.Request) (int, http.Header, string) {
			if r.URL.String() != "https://api.github.com/user" || r.Header.Get("Authorization") != "Bearer gho_x" {
				return 401, nil, "{}"
			}
			return 200, http.Header{"X-Oauth-Scopes": {"repo, user"}}, `{"login":"octocat","id":583231}`
		})})
	got, err := check(g, "gho_x")
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal != "https://github.com\x00583231" || !cmp.Equal(got.Scopes, []string{"repo", "user"}) {
		t.Errorf("got %+v", got)
	}
	_, err = check(g, "gho_y")
	wantRefusal(t, "another token", err, http.StatusUnauthorized)
}

func TestVerdictsStandForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		start := time.Now()
		v := newVerdicts(time.Now, func(_ context.Context, token string) (*Caller, error) {
			asked.Add(1)
			switch token {
			case "bad":
				return nil, errors.New("not active")
			case "outage":
				return nil, unavailable(time.Second, errors.New("503"))
			case "short":
				return &Caller{Expires: start.Add(-30 * time.Second)}, nil // within the leeway
			}
			return &Caller{Token: token}, nil
		})
		for token, stands := range map[string]time.Duration{
			"good": goodVerdict, "bad": badVerdict, "outage": 0, "short": 30 * time.Second,
		} {
			start = time.Now()
			asked.Store(0)
			v.of(t.Context(), "here", token)
			for _, step := range []struct {
				at   time.Duration
				want int32
			}{{stands - 1, 1}, {stands, 2}} {
				if step.at < 0 {
					continue
				}
				time.Sleep(step.at - time.Since(start))
				v.of(t.Context(), "here", token)
				if got := asked.Load(); got != step.want {
					t.Errorf("%s: asked %d times after %v, want %d", token, got, step.at, step.want)
				}
			}
		}
	})
}

func TestOneTokenIsAskedAboutOnceAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked, now, most atomic.Int32
		v := newVerdicts(time.Now, func(_ context.Context, token string) (*Caller, error) {
			asked.Add(1)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
			return &Caller{Token: token}, nil
		})
		var wg sync.WaitGroup
		for n := range 1000 {
			token := fmt.Sprint("token", n%100)
			wg.Go(func() {
				if c, err := v.of(t.Context(), fmt.Sprint("source", n%2), token); err != nil || c.Token != token {
					t.Errorf("%s: got %v, %v", token, c, err)
				}
			})
		}
		wg.Wait()
		if asked.Load() != 100 || most.Load() != maxAsking {
			t.Errorf("asked %d times, %d at once; want 100 and %d", asked.Load(), most.Load(), maxAsking)
		}
	})
}

func TestAskerWhoLeavesSpoilsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVerdicts(time.Now, func(ctx context.Context, token string) (*Caller, error) {
			time.Sleep(time.Second)
			return &Caller{Token: token}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		go v.of(ctx, "here", "a")
		synctest.Wait()
		cancel()
		if c, err := v.of(t.Context(), "here", "a"); err != nil || c == nil {
			t.Errorf("got %v, %v", c, err)
		}
	})
}

func TestVerdictsAreBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	v := newVerdicts(time.Now, func(context.Context, string) (*Caller, error) { asked++; return &Caller{}, nil })
	v.of(t.Context(), "here", "first")
	for n := range maxVerdicts {
		v.of(t.Context(), "here", fmt.Sprint(n))
		v.of(t.Context(), "here", "first")
	}
	if len(v.byToken) != maxVerdicts || v.recent.Len() != maxVerdicts {
		t.Errorf("%d and %d verdicts are kept, want %d", len(v.byToken), v.recent.Len(), maxVerdicts)
	}
	if asked != maxVerdicts+1 {
		t.Errorf("asked %d times: one that is in use was forgotten", asked)
	}
}
