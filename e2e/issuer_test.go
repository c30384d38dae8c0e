//go:build e2e

package e2e

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An oidc is npm's oidc-provider, an issuer that we did not write.
type oidc struct{ issuer string }

func startIssuer(t *testing.T) *oidc {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("servers", "issuer.mjs"), tool("npm", "package.json"))
	var complaints transcript
	cmd.Stderr = &complaints
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("issuer.mjs: %v\n%s", err, complaints.String())
	}
	return &oidc{strings.TrimSpace(line)}
}

// token is what a client gets for a user.
func (o *oidc) token(t *testing.T, user, resource, scope string) string {
	t.Helper()
	resp, err := http.Get(o.issuer + "/token?" + url.Values{"user": {user}, "resource": {resource}, "scope": {scope}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("token of %s: HTTP %d %s, %v", user, resp.StatusCode, body, err)
	}
	return string(body)
}

func TestTokensOfAnIndependentIssuer(t *testing.T) {
	t.Parallel()
	o := startIssuer(t)
	resource := map[string]string{"jwt": "https://mcp.example/jwt", "opaque": "https://mcp.example/opaque"}
	auth := func(kind string) map[string]any {
		a := map[string]any{
			"method": "oauth2_bearer", "oauth2_issuer": o.issuer, "oauth2_audience": resource[kind],
			"oauth2_required_scopes": []string{"files:read"},
		}
		if kind == "opaque" {
			a["oauth2_introspection_endpoint"] = o.issuer + "/token/introspection"
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
			good := o.token(t, "alice", resource[kind], "files:read files:write")
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
				"for another resource":  {o.token(t, "alice", resource[other], "files:read"), http.StatusUnauthorized},
				"with too few scopes":   {o.token(t, "alice", resource[kind], "files:write"), http.StatusForbidden},
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
