package mcpfunc

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// An identity is whom a session acts for: its user with the newest token that was verified, and
// what its process may ask for with that. One is made for each request; the one that opens a
// session stays with it, and later ones renew it.
type identity struct {
	app    *App
	server *server
	newest atomic.Pointer[authn.Caller]

	mu       sync.Mutex
	lease    *broker.Lease // from the first start of the process on; guarded by mu
	exported time.Time     // when the token in the process's environment expires; zero if there is none
}

func (a *App) identify(s *server, caller *authn.Caller) *identity {
	id := &identity{app: a, server: s}
	id.newest.Store(caller)
	return id
}

// Renew takes over the token of a later request of the same user, unless it is the older one:
// requests may arrive in any order. It implements session.Renewer.
func (id *identity) Renew(later any) {
	newer := later.(*identity).newest.Load()
	for {
		now := id.newest.Load()
		if newer.Expires.Before(now.Expires) || newer.IssuedAt.Before(now.IssuedAt) {
			return
		}
		if id.newest.CompareAndSwap(now, newer) {
			return
		}
	}
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

// environ returns what the process sees of its caller, on top of the server's own env.
func (id *identity) environ(ctx context.Context) (map[string]string, error) {
	spec, caller := id.server.spec, id.newest.Load()
	if spec.Auth != nil {
		info, _ := caller.Claims[infoClaim].(*auth.TokenInfo)
		vars, err := spec.Auth.Environ(ctx, caller.Token, info)
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
	if spec.method.ForwardUserToken {
		id.exported = caller.Expires
	}
	return id.lease.Environ(spec.Env)
}

// tokenMargin is how long before its end a token in a process's environment is as good as expired.
const tokenMargin = time.Minute

// refuse says what to answer to a request of this session instead of passing it on, if anything. A
// process whose environment holds a token that has expired is of no use: its session is unknown
// then, which makes the client begin another.
func (id *identity) refuse(later any) (http.Handler, error) {
	caller := later.(*identity).newest.Load()
	id.mu.Lock()
	lease, exported := id.lease, id.exported
	id.mu.Unlock()
	if !exported.IsZero() && time.Until(exported) < tokenMargin && caller.Expires.After(exported) {
		return nil, session.ErrUnknown
	}
	if lease == nil {
		return nil, nil
	}
	if challenge := lease.Challenge(caller); challenge != nil {
		return challenge, nil
	}
	return nil, nil
}
