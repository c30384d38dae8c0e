package mcpfunc

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/secret"
)

// auditMessage is what every line of the audit says, by which a query finds them.
const auditMessage = "mcp call"

// auditText bounds a text of a line that a client or a server chose.
const auditText = 256 // bytes

// An audit writes a line per call, at level INFO whatever the log's level is: who did what by which program, and
// how it ended. What was said is not in it, except for arguments that the configuration asks for.
type audit struct {
	log     *slog.Logger // by way of no redactor: what may hold a secret is redacted here
	secrets *secret.Redactor
}

// line writes the line of one call.
func (a *audit) line(s *server, c *calls.Call, how calls.Outcome, took time.Duration) {
	id := c.Caller.(*identity)
	caller := id.newest.Load()
	var room [24]slog.Attr
	attrs := append(room[:0], slog.String("server", s.spec.Name), slog.String("method", a.text(id, c.Method)))
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	switch {
	case strings.HasPrefix(c.Method, "tools/"):
		add("tool", a.text(id, c.Target))
	case strings.HasPrefix(c.Method, "prompts/"):
		add("prompt", a.text(id, c.Target))
	case strings.HasPrefix(c.Method, "resources/"):
		add("resource", a.text(id, c.Target))
	}
	tenant, user, issuer := whoIs(s, caller)
	add("user_tenant", tenant)
	add("user_issuer", issuer)
	add("user", user)
	add("app", caller.ClientID)
	add("client", a.text(id, c.Client.Name))
	add("client_version", a.text(id, c.Client.Version))
	add("session", c.Session)
	add("request", c.Request)
	if len(c.Trace.Parent) > 35 {
		add("trace_id", c.Trace.Parent[3:35])
	}
	attrs = append(attrs, slog.String("outcome", string(how.Kind)))
	if how.Code != 0 {
		attrs = append(attrs, slog.Int("code", how.Code))
	}
	add("reason", how.Reason)
	attrs = append(attrs, slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.Int("bytes_in", c.In), slog.Int("bytes_out", how.Out))
	if arguments := a.arguments(s, id, c.Arguments); arguments != nil {
		attrs = append(attrs, slog.Attr{Key: "arguments", Value: slog.GroupValue(arguments...)})
	}
	a.log.LogAttrs(context.Background(), slog.LevelInfo, auditMessage, attrs...)
}

// whoIs is the user as the audit names them: by tenant and object of Entra ID, else by issuer and subject. Names and
// addresses change, and say more than whose call it was.
func whoIs(s *server, caller *authn.Caller) (tenant, user, issuer string) {
	if caller.ObjectID != "" {
		return caller.TenantID, caller.ObjectID, ""
	}
	if _, custom := caller.Claims[infoClaim].(*auth.TokenInfo); custom || caller.Subject == "" {
		return "", caller.Subject, ""
	}
	issuer, _ = caller.Claims["iss"].(string)
	return "", caller.Subject, cmp.Or(issuer, s.spec.method.OAuth2Issuer)
}

// text is a name that someone else chose, without secrets, and short.
func (a *audit) text(id *identity, text string) string {
	if text == "" {
		return ""
	}
	if id.own != nil && id.own.has(text) {
		return secret.Redacted
	}
	return short(a.secrets.Redact(strings.ToValidUTF8(text, "\uFFFD")))
}

// short cuts text to what a line of the audit has room for, at a whole character.
func short(text string) string {
	if len(text) <= auditText {
		return text
	}
	return strings.ToValidUTF8(text[:auditText], "") + "…"
}

// arguments are those of a tool that the server's configuration asks for: a text as it is, anything else as JSON.
func (a *audit) arguments(s *server, id *identity, given []byte) []slog.Attr {
	if given == nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(given, &members) != nil {
		return nil
	}
	var attrs []slog.Attr
	secrets := a.secrets.And(id.Secrets())
	for _, name := range s.spec.AuditArguments {
		value, ok := members[name]
		if !ok {
			continue
		}
		text := string(value)
		var plain string
		if json.Unmarshal(value, &plain) == nil && text != "null" {
			text = plain
		}
		attrs = append(attrs, slog.String(name, short(secrets.Redact(strings.ToValidUTF8(text, "\uFFFD")))))
	}
	return attrs
}
