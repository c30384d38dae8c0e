package authprobe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/doctor"
	"github.com/mcpfunc/mcpfunc/internal/mcptest"
	mcpfunc "github.com/mcpfunc/mcpfunc/runtime"
)

// A guarded is an app with a server that asks for tokens, one that does not, and the issuer.
type guarded struct {
	url    string
	issuer *httptest.Server
	key    *ecdsa.PrivateKey
}

func newGuarded(t *testing.T, change func(*mcpfunc.Config)) *guarded {
	t.Helper()
	g := &guarded{}
	var err error
	if g.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":%q}`, g.issuer.URL, g.issuer.URL+"/keys", g.issuer.URL+"/authorize")
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &g.key.PublicKey, KeyID: "1", Use: "sig"}}})
	})
	g.issuer = httptest.NewServer(mux)
	t.Cleanup(g.issuer.Close)

	srv := httptest.NewUnstartedServer(nil)
	g.url = "http://" + srv.Listener.Addr().String()
	cfg, err := mcpfunc.ParseConfig(fmt.Appendf(nil, `{"mcpServers": {
		"guarded": {"command": "x", "auth": {"method": "oauth2_bearer", "oauth2_issuer": %q, "oauth2_required_scopes": ["files:read"]}},
		"open": {"command": "x"}
	}}`, g.issuer.URL), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.PublicURL = g.url
	if change != nil {
		change(cfg)
	}
	app, err := mcpfunc.New(cfg, &mcpfunc.Options{
		Development: true, Logger: slog.New(slog.DiscardHandler),
		Launcher: mcpfunc.LauncherFunc(func(context.Context, mcpfunc.Server, []string) (mcpfunc.Process, error) {
			return mcptest.Run(func(in io.Reader, out io.Writer) error {
				mcptest.Server(in, out, io.Discard, func(int) {})
				return nil
			}), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = app
	srv.Start()
	t.Cleanup(func() {
		app.Close()
		srv.Close()
	})
	return g
}

func (g *guarded) endpoint(t *testing.T, server string) *url.URL {
	t.Helper()
	u, err := url.Parse(g.url + "/api/mcp/" + server)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// token is a good one for the guarded server, with claims in place of the usual.
func (g *guarded) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	all := jwt.MapClaims{
		"iss": g.issuer.URL, "aud": g.url + "/api/mcp/guarded", "sub": "alice", "scope": "files:read", "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range claims {
		all[name] = value
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, all)
	token.Header["kid"] = "1"
	signed, err := token.SignedString(g.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestProbeFollowsAClientsWay(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, nil)
	const way = "ok endpoint, ok challenge, ok metadata, as announced, ok metadata, where RFC 9728 puts them, ok issuer ISSUER, ok keys of ISSUER"
	for name, tt := range map[string]struct {
		server, token, want string
	}{
		"without a token": {"guarded", "", way},
		"an open server":  {"open", "", "ok endpoint"},
		"a good token": {"guarded", g.token(t, nil),
			way + ", ok token, ok token issuer, ok token signature, ok token time, ok token audience, ok token scopes"},
		"of another issuer": {"guarded", g.token(t, jwt.MapClaims{"iss": "https://x.example"}),
			way + ", fail token, fail token issuer, ok token time, ok token audience, ok token scopes"},
		"for another server": {"guarded", g.token(t, jwt.MapClaims{"aud": "https://x.example"}),
			way + ", fail token, ok token issuer, ok token signature, ok token time, fail token audience, ok token scopes"},
		"expired": {"guarded", g.token(t, jwt.MapClaims{"exp": 1_000_000_000}),
			way + ", fail token, ok token issuer, ok token signature, fail token time, ok token audience, ok token scopes"},
		"without the scope": {"guarded", g.token(t, jwt.MapClaims{"scope": "files:list"}),
			way + ", fail token, ok token issuer, ok token signature, ok token time, ok token audience, fail token scopes"},
		"damaged": {"guarded", g.token(t, nil)[:100] + "x",
			way + ", fail token, fail token form"},
		"opaque": {"guarded", "opaque", way + ", fail token, fail token form"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checks := Probe(t.Context(), g.endpoint(t, tt.server), http.Header{}, tt.token)
			var got []string
			for _, c := range checks {
				got = append(got, string(c.Status)+" "+c.Name)
				if c.Status == doctor.Fail && c.Hint == "" {
					t.Errorf("%s has no hint: %s", c.Name, c.Detail)
				}
			}
			if want := strings.ReplaceAll(tt.want, "ISSUER", g.issuer.URL); strings.Join(got, ", ") != want {
				t.Errorf("%s\nwant\n%s\n%+v", strings.Join(got, ", "), want, checks)
			}
			if len(tt.token) > 10 && strings.Contains(fmt.Sprint(checks), tt.token) {
				t.Error("the token is in a finding")
			}
		})
	}
}

func TestProbeSaysWhatStandsInAClientsWay(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	elsewhere := newGuarded(t, func(cfg *mcpfunc.Config) { cfg.PublicURL = "https://other.example" })
	lost := newGuarded(t, nil)
	lost.issuer.Close()
	for name, tt := range map[string]struct {
		handler http.HandlerFunc // nil for the app at url
		url     string
		want    []string
	}{
		"the host requires a key": {status(401), "", []string{"fail endpoint", "x-functions-key"}},
		"a gateway's challenge":   {status(401, "WWW-Authenticate", `Basic realm="x"`), "", []string{"fail challenge", "scheme Bearer"}},
		"no metadata announced":   {status(401, "WWW-Authenticate", `Bearer`), "", []string{"fail challenge", "runtime.public_url", "status 401"}},
		"redirected":              {status(307, "Location", "https://x.example/"), "", []string{"fail endpoint", "https://x.example/"}},
		"no such path":            {status(404), "", []string{"fail endpoint", "mcpfunc list"}},
		"broken":                  {status(500), "", []string{"fail endpoint", "answers 500"}},
		"another public_url":      {nil, elsewhere.url, []string{"fail", "describes the resource https://other.example/api/mcp/guarded", "runtime.public_url"}},
		"an issuer that is away":  {nil, lost.url, []string{"ok challenge", "fail issuer " + lost.issuer.URL}},
		"nothing there":           {nil, "http://127.0.0.1:1", []string{"fail endpoint", "connection refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.handler != nil {
				srv := httptest.NewServer(tt.handler)
				defer srv.Close()
				tt.url = srv.URL
			}
			endpoint, err := url.Parse(tt.url + "/api/mcp/guarded")
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, c := range Probe(t.Context(), endpoint, http.Header{}, "") {
				fmt.Fprintln(&text, c.Status, c.Name, c.Detail, c.Hint)
			}
			for _, want := range tt.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("%q is not in\n%s", want, &text)
				}
			}
		})
	}
}
