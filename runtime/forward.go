package mcpfunc

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/backplane"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/streamhttp"
)

// A forwarder passes requests on to the instances that have their sessions.
type forwarder struct{ *backplane.Instance }

func (f forwarder) Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, to streamhttp.Remote, m *message.Message, begun bool) error {
	target := backplane.Target{
		Owner: to.Owner, Session: to.Session, Passed: backplane.Passed{Principal: to.Principal, Client: to.Client},
	}
	var body backplane.Body
	if m != nil {
		body = m
	}
	err := f.Instance.Forward(ctx, w, r, target, body, begun)
	lost, ok := errors.AsType[*backplane.LostError](err)
	switch {
	case errors.Is(err, backplane.ErrRefused):
		return streamhttp.ErrRefused
	case !ok:
		return err
	}
	failure := &child.Failure{Reason: child.ReasonInstance, Retryable: true}
	switch {
	case lost.Unsent:
		failure.Text = "the instance that owns this session cannot be reached; try again soon"
	case lost.Gone():
		failure.Text = "the instance that owns this session ended before it answered; the call may have taken effect"
	default:
		failure.Text = "the instance that owns this session became unreachable before it answered; the call may have taken effect"
	}
	return failure
}

// passedKey is where the context of a request says who passes it on.
type passedKey struct{}

// answerPassed answers a request that another instance passes on, as if it had come from the host.
func (a *App) answerPassed(w http.ResponseWriter, r *http.Request, by backplane.Passed) {
	h := headeds.Get().(*headed)
	*h = headed{ResponseWriter: w}
	a.answer(h, r.WithContext(context.WithValue(r.Context(), passedKey{}, by)))
	*h = headed{}
	headeds.Put(h)
}

// passed reports whether another instance passes the request on, and whether it has taken its caller for the same
// as we do.
func passed(r *http.Request, caller streamhttp.Caller) (passed, same bool) {
	by, passed := r.Context().Value(passedKey{}).(backplane.Passed)
	return passed, !passed || by.Principal == caller.Principal && by.Client == caller.Client
}

// appIdentity returns what gets tokens of the app's managed identities, or nil where the app does not have any.
func (a *App) appIdentity() backplane.Identity {
	if !a.broker.HasIdentity() {
		return nil
	}
	return func(ctx context.Context, resource, clientID string) (string, error) {
		token, err := a.broker.AppToken(ctx, resource, strings.TrimSpace(clientID))
		if err != nil {
			return "", errors.New("cannot get a token for Redis with the app's managed identity: " + err.Error())
		}
		return token, nil
	}
}
