//go:build e2e

package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
)

func TestTokensOfAnIndependentIssuer(t *testing.T) {
	t.Parallel()
	o := e2etest.StartIssuer(t)
	resource := map[string]string{"jwt": "https://mcp.example/jwt", "opaque": "https://mcp.example/opaque"}
	auth := func(kind string) map[string]any {
		a := map[string]any{
			"method": "oauth2_bearer", "oauth2_issuer": o.URL, "oauth2_audience": resource[kind],
			"oauth2_required_scopes": []string{"files:read"},
		}
		if kind == "opaque" {
			a["oauth2_introspection_endpoint"] = o.URL + "/token/introspection"
			a["oauth2_introspection_client_id"], a["oauth2_introspection_client_secret"] = "bridge", "${BRIDGE_SECRET}"
		}
		return a
	}
	server := func(kind string) map[string]any {
		return map[string]any{"command": python, "args": []string{filepath.Join(serverDir(t), "azure", "server.py")}, "auth": auth(kind)}
	}
	b := bridge(t, asJSON(t, map[string]any{"mcpServers": map[string]any{"jwt": server("jwt"), "opaque": server("opaque")}}),
		"AZURE_FUNCTIONS_ENVIRONMENT=Development", "BRIDGE_SECRET=canary-of-the-bridge")
	for kind, other := range map[string]string{"jwt": "opaque", "opaque": "jwt"} {
		t.Run(kind, func(t *testing.T) {
			good := o.Token(t, "alice", resource[kind], "files:read files:write")
			if isJWT := strings.Count(good, ".") == 2; isJWT != (kind == "jwt") {
				t.Fatalf("the issuer gave %q", good)
			}
			p, _ := signIn(t, b.Endpoint(kind), good)
			environment := p.mustCall(t, "environment", map[string]any{"scope": ""})
			for _, want := range []string{"OAUTH_USER_ID=alice\n", "OAUTH_SCOPES=files:read files:write\n"} {
				if !strings.Contains(environment+"\n", want) {
					t.Errorf("%q is not in the process's environment", want)
				}
			}
			if strings.Contains(environment, good) || strings.Contains(environment, "canary-of-the-bridge") {
				t.Error("a secret is in the process's environment")
			}
			for what, refused := range map[string]struct {
				token string
				want  int
			}{
				"for another resource":  {o.Token(t, "alice", resource[other], "files:read"), http.StatusUnauthorized},
				"with too few scopes":   {o.Token(t, "alice", resource[kind], "files:write"), http.StatusForbidden},
				"with a changed letter": {changed(good), http.StatusUnauthorized},
			} {
				if got := post(t, b.Endpoint(kind), "", initialize, "Authorization: Bearer "+refused.token); got.Status != refused.want {
					t.Errorf("a token %s: HTTP %d %s, want %d", what, got.Status, got.Body, refused.want)
				}
			}
		})
	}
}

// changed returns a token with another letter in its middle.
func changed(token string) string {
	i := len(token) / 2
	letter := "x"
	if token[i] == 'x' {
		letter = "y"
	}
	return token[:i] + letter + token[i+1:]
}

func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("servers")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
