package streamhttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/calls"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/pace"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// A request whose session, or whose requestState, is on another instance is passed on to that as it came, and
// what that answers is given as it comes: head, ids and bytes are those of the instance that has the process.
// That verifies the caller again, and does all else that it does for a request of its own.

// A Forwarder passes requests on to other instances.
type Forwarder interface {
	// Forward gives w what another instance answers to r, whose body is m, nil for none; begun says that the head
	// of a stream is written. It fails with ErrRefused, a *child.Failure that says why there is no answer, the
	// cause of ctx's end, or any other error, which is that the client is gone.
	Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, to Remote, m *message.Message, begun bool) error
}

// A Remote is another instance, and what is meant there.
type Remote struct {
	Owner   string // as session.Owners and pool.Minters call it
	Session string // its name there; empty for a request of none
	Caller
}

// ErrRefused says that what is meant is not on that instance any more, and that nothing was done there.
var ErrRefused = errors.New("it is no longer on that instance")

// forwards reports whether the request may be passed on: once.
func (q *request) forwards() bool { return q.Forwarder != nil && !q.caller.Passed }

// How often the owner of a session is asked for, and what is waited between, while it changes.
const (
	maxOwners  = 4
	ownerPause = 25 * time.Millisecond
)

// pass passes the request on to the instance that has the session with this id, if another one has it, and
// reports whether it has answered. m is the body; nil for none. It fails with a *child.Failure if it cannot be
// found its owner.
func (q *request) pass(id string, m *message.Message) (answered bool, err error) {
	if !q.forwards() {
		return false, nil
	}
	o := q.opening(id)
	for attempt := range maxOwners {
		owner, err := q.Table.Owner(q.ctx, o)
		if err != nil || owner == "" {
			return false, err
		}
		if q.passTo(owner, o.OwnerName(), m) {
			return true, nil
		}
		q.Table.ForgetOwner(o)
		if err := pace.Wait(q.ctx, ownerPause<<attempt); err != nil {
			return false, err
		}
	}
	return false, unsettled()
}

// unsettled is the failure of a request whose session has no owner that takes it.
func unsettled() error {
	return &child.Failure{Text: "the session is moving between instances; try again soon", Reason: child.ReasonUnsure, Retryable: true}
}

// passTo passes the request on to an instance, and the session with this name there; empty for none. It has answered
// unless it reports false.
func (q *request) passTo(owner, name string, m *message.Message) bool {
	to := Remote{Owner: owner, Session: name, Caller: q.caller}
	w := &noted{ResponseWriter: q.w}
	err := q.Forwarder.Forward(q.ctx, w, q.r, to, m, q.begun)
	failure, failed := errors.AsType[*child.Failure](err)
	switch {
	case errors.Is(err, ErrRefused):
		return false
	case !failed:
		q.one[0].End(calls.Outcome{Kind: calls.Passed})
		return true
	}
	q.one[0].End(failure.Outcome())
	var id []byte
	if m != nil && m.Kind() == message.Request {
		id = m.Envelope().ID()
	}
	streams := q.begun || w.begun && q.w.Header().Get("Content-Type") == "text/event-stream"
	switch {
	case streams && id != nil:
		q.tell(failure.Answer(id))
	case streams: // the client comes again for the rest
	case w.begun:
		panic(http.ErrAbortHandler) // what it has is not all, and must not look so
	default:
		q.failed(failure, id)
	}
	return true
}

// A noted response knows whether it has begun.
type noted struct {
	http.ResponseWriter
	begun bool
}

func (n *noted) WriteHeader(status int) {
	n.begun = true
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// found passes the request on if err, of opening its session, is that another instance has that. It returns nil
// if it has answered.
func (q *request) found(id string, m *message.Message, err error) error {
	if _, elsewhere := errors.AsType[*session.ElsewhereError](err); !elsewhere {
		return err
	}
	answered, err := q.pass(id, m)
	if err == nil && !answered {
		err = unsettled()
	}
	return err
}
