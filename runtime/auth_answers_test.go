package mcpfunc

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

const (
	unauthorized = `{"error":{"code":"authentication_required","message":"Missing or invalid Authorization header"}}`
	unavailable  = `{"error":{"code":"auth_unavailable","message":"The identity provider cannot be reached"}}`
)

func missing(scopes string) string {
	return `{"error":{"code":"insufficient_scopes","message":"Token missing required scopes: ` + scopes + `"}}`
}

// challenge is what WWW-Authenticate says for a server of a lab.
func challenge(server, code string) string {
	scope := "files:read"
	if server == "entra" {
		scope = "api://" + appID + "/user_impersonation"
	}
	if code != "" {
		code = `error="` + code + `", `
	}
	return `Bearer ` + code + `scope="` + scope + `", resource_metadata="` + publicURL + wellKnown + "/api/mcp/" + server + `"`
}

func TestRequestsAreRefusedBeforeAnythingStarts(t *testing.T) {
	l := newAuthLab(t)
	type answer struct {
		Status          int
		Body, Challenge string
	}
	invalid := func(server string) answer {
		return answer{http.StatusUnauthorized, unauthorized, challenge(server, "invalid_token")}
	}
	of := func(change func(*fakeentra.Token)) string { return l.token(alice, change) }
	for name, tt := range map[string]struct {
		server, token string
		want          answer
	}{
		"no token":           {"entra", "", answer{401, unauthorized, challenge("entra", "")}},
		"no token, issuer":   {"issuer", "", answer{401, unauthorized, challenge("issuer", "")}},
		"no JWT":             {"entra", "not-a-jwt", invalid("entra")},
		"no JWT, issuer":     {"issuer", "opaque", invalid("issuer")},
		"expired":            {"entra", of(at(-2*time.Hour, -time.Hour)), invalid("entra")},
		"for Azure itself":   {"entra", of(func(t *fakeentra.Token) { t.Audience = arm }), invalid("entra")},
		"of a foreign guild": {"entra", of(func(t *fakeentra.Token) { t.Tenant = fakeentra.ConsumerTenant }), invalid("entra")},
		"another issuer's":   {"issuer", l.token(alice), invalid("issuer")},
		"for another server": {"issuer", l.issuer.token("alice", map[string]any{"aud": publicURL + "/api/mcp/entra"}), invalid("issuer")},
		"too few scopes": {"entra", of(func(t *fakeentra.Token) { t.Scopes = []string{"other"} }),
			answer{403, missing("user_impersonation"), challenge("entra", "insufficient_scope")}},
		"too few scopes, issuer": {"issuer", l.issuer.token("alice", map[string]any{"scope": "files:list"}),
			answer{403, missing("files:read"), challenge("issuer", "insufficient_scope")}},
		"an application": {"entra", of(func(t *fakeentra.Token) { t.App, t.Roles = true, []string{"Files.Read"} }),
			answer{403, `{"error":{"code":"principal_not_allowed","message":"A token of a signed-in user is required, not one of an application"}}`, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			c := l.client(t, tt.server, tt.token)
			for _, try := range []struct{ method, body, session string }{
				{"POST", initialize, ""}, {"POST", listTools, ""}, {"POST", listTools, "session-12345"}, {"POST", "no JSON", ""},
				{"GET", "", "session-12345"}, {"DELETE", "", "session-12345"}, {"PUT", "", ""},
			} {
				c.session = try.session
				r := c.do(try.method, try.body)
				if diff := cmp.Diff(tt.want, answer{r.status, r.body, r.header.Get("WWW-Authenticate")}); diff != "" {
					t.Errorf("%s %s (-want +got):\n%s", try.method, try.body, diff)
				}
				if got := r.header.Get("Content-Type") + ", " + r.header.Get("Cache-Control"); got != "application/json, no-store" {
					t.Errorf("%s %s: %s", try.method, try.body, got)
				}
			}
			for _, path := range []string{"/sse", "/message?sessionId=1"} { // HTTP with SSE
				resp, err := http.Get(c.url + path)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %d", path, resp.StatusCode)
				}
			}
		})
	}
	if s := l.app.Stats(); s.Opened != 0 || len(l.started()) != 0 {
		t.Errorf("%d sessions and %d processes for requests that were refused", s.Opened, len(l.started()))
	}
}

func TestOutageOfTheIssuerIsNotTheCallersFault(t *testing.T) {
	l := newAuthLab(t)
	l.entra.Break(fakeentra.Outage())
	l.issuer.down.Store(true)
	for server, token := range map[string]string{"entra": l.token(alice), "issuer": l.issuer.token("alice", nil)} {
		c := l.client(t, server, token)
		r := c.do("POST", initialize)
		if r.status != http.StatusServiceUnavailable || r.body != unavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, Retry-After %q", server, r.status, r.body, r.header.Get("Retry-After"))
		}
		c.bring("not-a-jwt") // needs no key to be wrong
		if r := c.do("POST", initialize); r.status != http.StatusUnauthorized {
			t.Errorf("%s, garbage: %d", server, r.status)
		}
	}
	if l.app.Stats().Opened != 0 {
		t.Error("a session was opened although nobody could be known")
	}
}

func TestMetadataAreWhereClientsLook(t *testing.T) {
	l := newAuthLab(t, func(_ *authLab, cfg *Config) { cfg.AllowedHosts = []string{"evil.example"} }) // or it is refused
	get := func(path string, headers ...string) (int, map[string]any, http.Header) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, l.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example" // what a document says does not follow the request
		r.Header.Set("X-Forwarded-Host", "evil.example")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if resp.StatusCode == http.StatusOK {
			if err := json.Unmarshal(data, &document); err != nil {
				t.Fatalf("%s: %v in %s", path, err, data)
			}
		}
		return resp.StatusCode, document, resp.Header
	}
	entraDocument := func(path string) map[string]any {
		return map[string]any{
			"resource":                 publicURL + path,
			"authorization_servers":    []any{l.entra.URL + "/" + tenant + "/v2.0", l.entra.URL + "/" + elsewhere + "/v2.0"},
			"scopes_supported":         []any{"api://" + appID + "/user_impersonation"},
			"bearer_methods_supported": []any{"header"},
		}
	}
	for path, want := range map[string]map[string]any{
		wellKnown + "/api/mcp":       entraDocument("/api/mcp"), // the default server's second path
		wellKnown + "/api/mcp/entra": entraDocument("/api/mcp/entra"),
		wellKnown + "/api/mcp/issuer": {
			"resource": publicURL + "/api/mcp/issuer", "authorization_servers": []any{l.issuer.URL},
			"scopes_supported": []any{"files:read"}, "bearer_methods_supported": []any{"header"},
		},
		wellKnown + "/api/mcp/open":   nil, // nobody has to sign in
		wellKnown + "/api/mcp/nobody": nil,
		wellKnown:                     nil, // two servers are protected: which one would it be?
	} {
		status, got, header := get(path)
		if want == nil {
			if status != http.StatusNotFound {
				t.Errorf("%s: %d %v, want 404", path, status, got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if header.Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestMetadataAreAtTheRootForTheOnlyProtectedServer(t *testing.T) {
	for name, fallback := range map[string]string{"the default server": "entra", "another server": "open"} {
		t.Run(name, func(t *testing.T) {
			l := newAuthLab(t, func(_ *authLab, cfg *Config) {
				cfg.Servers[issuerServer].method = config.Auth{Method: config.AuthNone}
				cfg.DefaultServer = fallback
			})
			resp, err := http.Get(l.url + wellKnown)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var document struct{ Resource string }
			if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
				t.Fatal(err)
			}
			want := publicURL + "/api/mcp"
			if fallback != "entra" {
				want += "/entra"
			}
			if document.Resource != want {
				t.Errorf("resource %q, want %q", document.Resource, want)
			}
		})
	}
}
