package mcpfunc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// An identity is whom a session acts for: its user with the newest token that was verified, and
// what its process may ask for with that. One is made for each request, except for server.anyone; the
// one that opens a session stays with it, and later ones renew it.
type identity struct {
	app    *App
	server *server
	guard  authn.Guard // that has verified the token of the request
	own    *personal   // what its process has of this caller alone; nil for nothing
	newest atomic.Pointer[authn.Caller]
	trace  atomic.Pointer[calls.Trace] // that its request is in; nil for none

	mu       sync.Mutex
	lease    *broker.Lease // from the first start of the process on; guarded by mu
	exported *authn.Caller // what the process's environment tells of; guarded by mu; nil before it starts
}

func (a *App) identify(s *server, guard authn.Guard, caller *authn.Caller, own *personal) *identity {
	id := &identity{app: a, server: s, guard: guard, own: own}
	id.newest.Store(caller)
	return id
}

// doubtPause is how long to wait before an issuer that is away is asked again about a token.
const doubtPause = 5 * time.Second

// Recheck implements streamhttp.Token.
func (id *identity) Recheck(r *http.Request) (refusal http.Handler, again time.Time, certain bool) {
	caller, err := id.guard.Check(r)
	if err == nil {
		return nil, caller.Again, true
	}
	id.app.log.Debug("token rechecked while its request was open", "path", r.URL.Path, "why", err)
	again = time.Now().Add(doubtPause)
	if refused, ok := errors.AsType[*authn.Error](err); ok {
		return refused, again, refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { id.app.refuseUnauthorized(w, r, err) }), again, false
}

// Renew takes over the token of a later request of the same user, unless it is the older one:
// requests may arrive in any order. It implements child.Renewer.
func (id *identity) Renew(later any) {
	newer := later.(*identity).newest.Load()
	for {
		now := id.newest.Load()
		if older(newer, now) || id.newest.CompareAndSwap(now, newer) {
			return
		}
	}
}

// older reports whether a's token was issued before b's; where the issuer does not say when, whether
// it expires before. What a user got by signing in again is newer even if it expires sooner, as it
// does when a token for continuous access evaluation was not enough.
func older(a, b *authn.Caller) bool {
	if a.IssuedAt.IsZero() || b.IssuedAt.IsZero() || a.IssuedAt.Equal(b.IssuedAt) {
		return !a.Expires.IsZero() && a.Expires.Before(b.Expires)
	}
	return a.IssuedAt.Before(b.IssuedAt)
}

// Close ends what the process may ask for. The session calls it at its end.
func (id *identity) Close() error {
	id.mu.Lock()
	lease := id.lease
	id.mu.Unlock()
	if lease != nil {
		lease.Close()
	}
	return nil
}

// environ returns the caller's variables for the process, on top of the server's own env: what the caller brings
// is below what the auth method grants.
func (id *identity) environ(ctx context.Context) (map[string]string, error) {
	granted, err := id.granted(ctx)
	if err != nil || id.own == nil && id.trace.Load() == nil {
		return granted, err
	}
	vars := map[string]string{}
	if id.own != nil {
		maps.Copy(vars, id.own.vars)
	}
	if t := id.trace.Load(); t != nil {
		vars["TRACEPARENT"] = t.Parent
		if t.State != "" {
			vars["TRACESTATE"] = t.State
		}
	}
	maps.Copy(vars, granted)
	return vars, nil
}

func (id *identity) granted(ctx context.Context) (map[string]string, error) {
	spec, caller := id.server.spec, id.newest.Load()
	if custom := id.app.opts.Auth; custom != nil {
		info, _ := caller.Claims[infoClaim].(*auth.TokenInfo)
		vars, err := custom.Environ(ctx, caller.Token, info)
		if err != nil {
			return nil, fmt.Errorf("environment of the caller: %w", err)
		}
		return vars, nil
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.lease == nil {
		lease, err := id.app.broker.Lease(id.server.grant(id.newest.Load))
		if err != nil {
			return nil, fmt.Errorf("environment of the caller: %w", err)
		}
		id.lease = lease
	}
	id.exported = caller
	return id.lease.Environ(spec.Env)
}

// refuse says what to answer to a request of this session instead of passing it on, if anything. A
// process whose environment is not true any more is of no use: its session is unknown then, which
// makes the client begin another.
func (id *identity) refuse(later any) (http.Handler, error) {
	id.mu.Lock()
	lease, exported := id.lease, id.exported
	id.mu.Unlock()
	if exported != nil && id.outdated(exported, id.newest.Load()) {
		return nil, session.ErrUnknown
	}
	if lease == nil {
		return nil, nil
	}
	if challenge := lease.Challenge(later.(*identity).newest.Load()); challenge != nil {
		return challenge, nil
	}
	return nil, nil
}

// tokenMargin is how long before its end a token in a process's environment is as good as expired.
const tokenMargin = time.Minute

// outdated reports whether what was exported to the process's environment is not true of newest: it
// has a token that ends, or scopes that the user has no more. There must be a newer token, since a
// new session would get the same one otherwise.
func (id *identity) outdated(exported, newest *authn.Caller) bool {
	method := id.server.spec.method
	if exported.Token == newest.Token || !method.ForwardUserToken && method.Method != config.AuthOAuth2Bearer {
		return false
	}
	for _, scope := range exported.Scopes {
		if !slices.Contains(newest.Scopes, scope) {
			return true
		}
	}
	return method.ForwardUserToken && !exported.Expires.IsZero() && time.Until(exported.Expires) < tokenMargin
}
