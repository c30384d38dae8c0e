package broker

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/pace"
)

// A Grant says for whom and for what a process may have tokens.
type Grant struct {
	Server string      // its name, for the log
	Auth   config.Auth // of that server
	Env    authn.Env   // that the server's guard was made with

	// Caller returns the session's user with the newest token that the guard has accepted. It may be
	// nil, or return nil, where the method knows no users.
	Caller func() *authn.Caller
}

// The share of tokens that a process has: SDKs keep a token until it expires, but not every server
// keeps its SDK's credential from one call to the next.
const (
	burst = 50
	rate  = 5 // a second
)

// A Lease is the right of one session's process, restarts included, to ask for tokens. Its methods may
// be called from many goroutines at once.
type Lease struct {
	broker    *Broker
	grant     Grant
	principal string
	live      context.Context // until Close
	end       context.CancelFunc

	// Zero when there are no tokens to give: nothing asks then.
	log                  *slog.Logger
	source               source
	origin, path, secret string

	mu        sync.Mutex
	pace      pace.Bucket
	challenge *challenge
}

// A challenge is an interaction that the identity provider demands before it gives a token.
type challenge struct {
	token  string // of the user, that was not enough
	answer *authn.Error
}

// Environ returns what the process is to have in its environment on top of env, which is what the
// server's configuration sets: the variables of its auth method ([Variables]), and those by which
// Azure's SDKs find the broker. It wins over env, except for AZURE_TOKEN_CREDENTIALS: not every SDK
// knows the value that it has here, so an owner who writes another one means it.
//
// The user's token and tenant are those of the newest caller, so it is asked again for each start of
// a process.
func (l *Lease) Environ(env map[string]string) (map[string]string, error) {
	if l.live.Err() != nil {
		return nil, errClosed
	}
	caller := l.caller()
	if caller != nil && caller.Principal != l.principal {
		return nil, errOtherUser
	}
	vars, err := Variables(l.grant.Auth, caller, l.broker.identity.setting)
	if err != nil {
		return nil, err
	}
	if l.path != "" {
		vars["IDENTITY_ENDPOINT"] = l.origin + "/" + l.path + tokenPath
		vars["IDENTITY_HEADER"] = l.secret
		passProxyBy(vars, env, l.broker.identity.setting)
		if vars[tokenCredentials] == "" {
			// Without it the SDKs prefer AZURE_CLIENT_SECRET, where it is set, and the process would
			// act as the app, with the app's rights, for every user.
			vars[tokenCredentials] = "ManagedIdentityCredential"
		}
	}
	if _, own := env[tokenCredentials]; own {
		delete(vars, tokenCredentials)
	}
	return vars, nil
}

// caller returns the session's user with the newest token, or nil.
func (l *Lease) caller() *authn.Caller {
	if l.grant.Caller == nil {
		return nil
	}
	return l.grant.Caller()
}

// Challenge returns what to answer to a request of c, the session's user: the interaction that the
// identity provider demanded when the process last asked for a token, or nil. It is returned once,
// and not for another token than the one that was not enough: should that one not be enough either,
// the identity provider will say so again. To tell only once keeps a user, whose client cannot do
// what is asked, from being locked out of everything that needs no such token.
func (l *Lease) Challenge(c *authn.Caller) *authn.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.challenge
	l.challenge = nil
	if was == nil || was.token != c.Token {
		return nil
	}
	return was.answer
}

func (l *Lease) demand(e *interactionError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live.Err() != nil {
		return
	}
	l.challenge = &challenge{
		token:  e.caller.Token,
		answer: authn.InteractionRequired(l.grant.Auth, l.grant.Env, e.caller, e.Claims),
	}
}

// Close ends the lease: requests under way fail, and later ones are refused.
func (l *Lease) Close() {
	l.end()
	l.broker.forget(l.path)
}

// admits reports whether header is the lease's secret.
func (l *Lease) admits(header string) bool {
	return l.live.Err() == nil && subtle.ConstantTimeCompare([]byte(header), []byte(l.secret)) == 1
}

// hurries reports whether the process asks for more than its share.
func (l *Lease) hurries(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.pace.Take(now)
}

// token gets a token for resource, which takes at most answerTimeout.
func (l *Lease) token(ctx context.Context, resource string) (*token, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	defer context.AfterFunc(l.live, cancel)()
	t, err := l.source.token(ctx, l.newest, resource)
	if l.live.Err() != nil {
		return nil, errClosed // although a token may have come: no process can use it
	}
	return t, err
}

// newest returns the caller if their token is one to be exchanged now.
func (l *Lease) newest() (*authn.Caller, error) {
	switch c := l.caller(); {
	case c == nil:
		return nil, errNoUser
	case c.Principal != l.principal:
		return nil, errOtherUser
	case !l.broker.now().Before(c.Expires):
		return nil, errExpired
	default:
		return c, nil
	}
}

var (
	errClosed    = &refusal{http.StatusUnauthorized, "unauthorized", "the session has ended"}
	errNoUser    = &refusal{http.StatusBadRequest, "invalid_grant", "no user is signed in"}
	errOtherUser = &refusal{http.StatusBadRequest, "invalid_grant", "the session belongs to another user"}
	errExpired   = &refusal{http.StatusBadRequest, "invalid_grant", "the user's token has expired; their next request brings a new one"}
)
