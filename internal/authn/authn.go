// Package authn identifies the caller: it turns the Authorization header of a request into a [Caller], or into
// an [Error] that says how to answer. It keeps no session and starts no process; every request is verified on
// its own, because a session id is not a credential.
//
// Each MCP server has its own [Guard], which fails closed: an auth object that cannot be understood stops the
// app in [New], a token that cannot be understood is refused, and if the keys to verify a token cannot be
// fetched, the answer is 503.
//
// A token passes, in this order: the front door (bearer.go), the form of a compact JWS (jws.go, json.go), the
// rules of its issuer (entra.go, oauth2.go), and only then its signature against a key set (keyset.go,
// keysource.go), which is the first step that may use the network. All fetching goes through fetch.go.
package authn

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Guard identifies the callers of one server. Check is called for every request, before anything
// else is done with it, from many goroutines at once. An *[Error] says what to answer, and to the
// log why, which the caller of Check writes, as only it knows which request it was. Any
// other error is a fault of ours.
//
// A Guard has no background work and needs no closing: key sets are refreshed by the requests that
// find them old.
type Guard interface {
	Check(r *http.Request) (*Caller, error)

	// Missing returns those of scopes that the caller's token does not grant.
	Missing(c *Caller, scopes []string) []string
	// StepUp refuses a request for want of scopes.
	StepUp(c *Caller, missing []string) *Error
}

// A Caller is who sent a request. It is not changed after Check has returned it and may be shared.
type Caller struct {
	// Principal is what a session belongs to: stable over token refreshes, different for different
	// users, without meaning to anyone else. It is empty if and only if callers are not told
	// apart (methods none and azure_default).
	Principal string

	// Token is the verified bearer token. It must not be logged.
	Token string

	Subject  string // sub, or the provider's user id
	ObjectID string // Entra: oid
	TenantID string // Entra: tid, from the verified token
	ClientID string // azp, appid or client_id: the program that the user uses
	Scopes   []string

	Expires  time.Time // zero when the provider does not say
	IssuedAt time.Time // zero when the provider does not say
	Again    time.Time // when to ask the provider again, who may have revoked the token; zero without a provider to ask

	// Claims are all claims of the token or of the introspection answer, numbers as json.Number.
	// It must be treated as read-only.
	Claims map[string]any
}

// Env is what a guard needs to know of the app it runs in.
type Env struct {
	Resource    string // canonical URI of this MCP server; the audience that tokens must name
	MetadataURL string // where this server's RFC 9728 document is served; "" if nowhere

	// Development permits plain http and loopback addresses for issuers. Never set it on Azure.
	Development bool

	// PrivateIssuers permits issuers at private addresses, as of an identity provider inside a
	// virtual network. Link-local addresses (instance metadata) stay refused.
	PrivateIssuers bool

	AuthorityHost string // AZURE_AUTHORITY_HOST; "" means the public cloud
	TenantID      string // AZURE_TENANT_ID; used where the auth object names no tenant

	// Transport sends the guard's own requests. Nil means one that refuses to connect to
	// loopback, link-local and private addresses; tests set another.
	Transport http.RoundTripper

	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil means time.Now
}

func (e Env) withDefaults() Env {
	if e.Transport == nil {
		e.Transport = NewTransport(e.Development, e.PrivateIssuers)
	}
	e.Logger = cmp.Or(e.Logger, slog.New(slog.DiscardHandler))
	if e.Now == nil {
		e.Now = time.Now
	}
	return e
}

// New returns the guard that the auth object of one server asks for. It does not use the network:
// an identity provider that is away must not keep the app from starting.
func New(cfg config.Auth, env Env) (Guard, error) {
	env = env.withDefaults()
	switch cfg.Method {
	case config.AuthNone, config.AuthAzureDefault:
		return open{}, nil
	case config.AuthAzureOBO:
		return newEntra(cfg, env)
	case config.AuthOAuth2Bearer:
		return newOAuth2(cfg, env)
	}
	return nil, fmt.Errorf("unknown auth method %q", cfg.Method)
}

// open does not tell callers apart. It reads no header, so that a token sent by mistake goes nowhere; what
// keeps strangers out is the function key that the host asks for.
type open struct{}

func (open) Check(*http.Request) (*Caller, error) { return nobody, nil }

// nobody is every caller where callers are not told apart.
var nobody = &Caller{}
