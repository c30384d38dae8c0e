package mcpfunc

import (
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/fakeentra"
)

// requiring makes every server but the open one want more for some tools.
func requiring(_ *authLab, cfg *Config) {
	for i := range cfg.Servers[:openServer] {
		cfg.Servers[i].access.Tools = config.AccessRules{
			Deny: []string{"crash"},
			Require: []config.Requirement{
				{Glob: "e*", Scopes: []string{"files:write", "api://x/files.delete"}},
				{Glob: "pid", Roles: []string{"admin"}, Scopes: []string{"files:write"}},
				{Glob: "big", Groups: []string{"11111111-0000-0000-0000-000000000001"}},
			},
		}
	}
}

func called(tool string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{"text":"hello","size":3}}}`
}

func TestMoreScopeIsAskedForByAChallenge(t *testing.T) {
	l := newAuthLab(t, requiring)
	t.Run("oauth2_bearer", func(t *testing.T) {
		token := func(scopes string) string { return l.issuer.token("alice", jwt.MapClaims{"scope": scopes}) }
		c := l.connect(t, "issuer", token("files:read profile offline_access"))
		r := c.do(http.MethodPost, called("echo"))
		want := `Bearer error="insufficient_scope", scope="files:read profile files:write api://x/files.delete", ` +
			`resource_metadata="` + publicURL + `/.well-known/oauth-protected-resource/api/mcp/issuer"`
		if got := r.header.Get("WWW-Authenticate"); r.status != http.StatusForbidden || got != want {
			t.Errorf("%d %s\n got %s\nwant %s", r.status, r.body, got, want)
		}
		if want := `{"error":{"code":"insufficient_scopes","message":"Token missing required scopes: files:write api://x/files.delete"}}`; r.body != want {
			t.Errorf("body %s, want %s", r.body, want)
		}
		more := token("files:read profile offline_access files:write api://x/files.delete")
		c.bring(more)
		if r := c.do(http.MethodPost, called("echo")); !strings.Contains(r.body, "hello") {
			t.Errorf("with more scope: %d %s", r.status, r.body)
		}
		c.bring(token("files:read"))
		if r := c.do(http.MethodPost, called("echo")); r.status != http.StatusForbidden {
			t.Errorf("with less scope again: %d %s", r.status, r.body)
		}
		c.bring(more)
		// What needs nothing more goes on, and what is denied is not there, whatever else is wanted.
		if got, err := c.tool("log", `"text":"x"`); err != nil || got != "logged" {
			t.Errorf("log: %s, %v", got, err)
		}
		if r := c.do(http.MethodPost, called("crash")); !strings.Contains(r.body, "Unknown tool: crash") || r.status != http.StatusOK {
			t.Errorf("crash: %d %s", r.status, r.body)
		}
	})
	t.Run("azure_obo", func(t *testing.T) {
		c := l.connect(t, "entra", l.token(alice))
		r := c.do(http.MethodPost, called("echo"))
		want := `scope="api://` + appID + `/user_impersonation api://` + appID + `/files:write api://x/files.delete"`
		if got := r.header.Get("WWW-Authenticate"); r.status != http.StatusForbidden || !strings.Contains(got, want) || !strings.Contains(got, `error="insufficient_scope"`) {
			t.Errorf("%d %s, want %s", r.status, got, want)
		}
		c.bring(l.token(alice, func(token *fakeentra.Token) {
			token.Scopes = []string{"user_impersonation", "files:write", "files.delete"}
		}))
		if r := c.do(http.MethodPost, called("echo")); !strings.Contains(r.body, "hello") {
			t.Errorf("with more scope: %d %s", r.status, r.body)
		}
	})
}

// A role or a group comes with the user: no other token of theirs would do, and none is asked for.
func TestNoTokenBringsARole(t *testing.T) {
	l := newAuthLab(t, requiring)
	for server, token := range map[string]func(claims map[string]any) string{
		"issuer": func(claims map[string]any) string {
			all := jwt.MapClaims{"scope": "files:read files:write"}
			for k, v := range claims {
				all[k] = v
			}
			return l.issuer.token("alice", all)
		},
		"entra": func(claims map[string]any) string {
			return l.token(alice, func(token *fakeentra.Token) {
				token.Claims, token.Scopes = claims, []string{"user_impersonation", "files:write"}
			})
		},
	} {
		c := l.connect(t, server, token(nil))
		for _, tool := range []string{"pid", "big"} {
			r := c.do(http.MethodPost, called(tool))
			if r.status != http.StatusForbidden || r.header.Get("WWW-Authenticate") != "" || !strings.Contains(r.body, `"principal_not_allowed"`) {
				t.Errorf("%s of %s: %d %q %s", tool, server, r.status, r.header.Get("WWW-Authenticate"), r.body)
			}
		}
		c.bring(token(map[string]any{"roles": []string{"reader", "admin"}, "groups": []string{"11111111-0000-0000-0000-000000000001"}}))
		for _, tool := range []string{"pid", "big"} {
			if r := c.do(http.MethodPost, called(tool)); r.status != http.StatusOK || strings.Contains(r.body, "error") {
				t.Errorf("%s of %s with a role and a group: %d %s", tool, server, r.status, r.body)
			}
		}
		c.bring(token(map[string]any{"roles": []string{"admins", "Admin"}, "_claim_names": map[string]string{"groups": "src1"}}))
		for _, tool := range []string{"pid", "big"} {
			if r := c.do(http.MethodPost, called(tool)); r.status != http.StatusForbidden {
				t.Errorf("%s of %s: %d", tool, server, r.status)
			}
		}
	}
	if !strings.Contains(l.log.String(), "token omits the user's groups") {
		t.Error("the log does not say that groups are left out of a token")
	}
}

// In a batch, by the two endpoints of 2024-11-05 and without a session, a requirement is the same; and
// nobody can be made to start a process by asking for what they may not have.
func TestRequirementsHoldInEveryForm(t *testing.T) {
	l := newAuthLab(t, requiring)
	c := l.client(t, "issuer", l.issuer.token("alice", nil))
	if r := c.do(http.MethodPost, called("echo")); r.status != http.StatusForbidden || len(l.started()) != 0 {
		t.Errorf("without a session: %d, %d processes", r.status, len(l.started()))
	}
	if r := c.do(http.MethodPost, `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`); r.status != http.StatusForbidden {
		t.Errorf("as a notification: %d", r.status)
	}
	got, err := c.send("initialize", `{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	if err != nil {
		t.Fatalf("initialize: %v %s", err, got)
	}
	if r := c.do(http.MethodPost, `[`+called("log")+`,`+called("echo")+`]`); r.status != http.StatusForbidden {
		t.Errorf("in a batch: %d %s", r.status, r.body)
	}
	modern := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	if r := c.do(http.MethodPost, modern, "Mcp-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: echo"); r.status != http.StatusForbidden {
		t.Errorf("of 2026-07-28: %d %s", r.status, r.body)
	}
}
