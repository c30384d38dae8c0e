package authn

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

func TestT15TokenComesInOneHeaderOnly(t *testing.T) {
	t.Parallel()
	l := newEntraLab(t)
	token := l.token()
	const anonymous, invalid = "", challengeInvalidToken
	for _, test := range []struct {
		what   string
		target string
		header []string
		ok     bool
		err    string
	}{
		{"as it should be", "/", []string{"Bearer " + token}, true, ""},
		{"scheme in lower case", "/", []string{"bearer " + token}, true, ""},
		{"scheme in upper case", "/", []string{"BEARER " + token}, true, ""},
		{"more spaces", "/", []string{"Bearer   " + token}, true, ""},
		{"other query", "/?transportType=streamable-http", []string{"Bearer " + token}, true, ""},
		{"no header", "/", nil, false, anonymous},
		{"empty header", "/", []string{""}, false, anonymous},
		{"another scheme", "/", []string{"Basic dTpw"}, false, anonymous},
		{"scheme run together", "/", []string{"Bearer" + token}, false, anonymous},
		{"scheme alone", "/", []string{"Bearer"}, false, invalid},
		{"no token", "/", []string{"Bearer  "}, false, invalid},
		{"the same twice", "/", []string{"Bearer " + token, "Bearer " + token}, false, invalid},
		{"two schemes", "/", []string{"Basic dTpw", "Bearer " + token}, false, invalid},
		{"comma list", "/", []string{"Bearer " + token + ", Bearer " + token}, false, invalid},
		{"two tokens", "/", []string{"Bearer " + token + " " + token}, false, invalid},
		{"quoted", "/", []string{`Bearer "` + token + `"`}, false, invalid},
		{"too long", "/", []string{"Bearer " + strings.Repeat("A", maxTokenBytes+1)}, false, invalid},
		{"in the query alone", "/?access_token=" + token, nil, false, invalid},
		{"in the query, escaped", "/?access%5Ftoken=" + token, nil, false, invalid},
		{"in the query too", "/?a=b&access_token=" + token, []string{"Bearer " + token}, false, invalid},
		{"padding alone", "/", []string{"Bearer =="}, false, invalid},
		{"padding within", "/", []string{"Bearer a=b"}, false, invalid},
	} {
		r := httptest.NewRequest(http.MethodGet, test.target, nil)
		for _, h := range test.header {
			r.Header.Add("Authorization", h)
		}
		_, err := l.guard.Check(r)
		if test.ok {
			if err != nil {
				t.Errorf("%s: %v", test.what, err)
			}
			continue
		}
		e := wantRefusal(t, test.what, err, http.StatusUnauthorized)
		if e.Challenge == nil || e.Challenge.Error != test.err {
			t.Errorf("%s: challenge %v, want error %q", test.what, e.Challenge, test.err)
		}
	}
	body := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("access_token="+token))
	body.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err := l.guard.Check(body)
	wantRefusal(t, "in the body", err, http.StatusUnauthorized)
}

func TestOpenMethodsReadNoHeader(t *testing.T) {
	t.Parallel()
	for _, method := range []config.AuthMethod{config.AuthNone, config.AuthAzureDefault} {
		g := newGuard(t, config.Auth{Method: method}, Env{})
		r := httptest.NewRequest(http.MethodPost, "/?access_token=x", nil)
		r.Header.Add("Authorization", "Bearer secret")
		r.Header.Add("Authorization", "Bearer secret")
		c, err := g.Check(r)
		if err != nil {
			t.Errorf("%s: %v", method, err)
		} else if c.Principal != "" || c.Token != "" {
			t.Errorf("%s: got %+v, want nobody", method, c)
		}
	}
}
