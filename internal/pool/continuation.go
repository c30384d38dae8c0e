package pool

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
)

// A server that needs input answers with a question and a requestState, with which the client calls again
// (2026-07-28, patterns, "Multi Round-Trip Requests"). There are servers, those of the Python SDK 2 among
// them, whose processes can read their own states alone. So a state goes back to the process that minted
// it. It is remembered by its digest: it may be long, and secret.
const (
	maxStates = 4096      // per caller, that are remembered
	stateLife = time.Hour // for a person to answer
)

// Reasons for which a state cannot go back, in a child.Failure.
const (
	ReasonStateLost      = "continuation_lost"      // its process has ended
	ReasonStateElsewhere = "continuation_elsewhere" // no process of this caller is known here to have minted it
)

// A LostError says that the process that minted a requestState is not here, and why.
type LostError struct {
	Elsewhere bool // another instance may have it
}

func (e *LostError) Error() string { return e.failure().Text }

// Unwrap returns the *child.Failure that the client is told.
func (e *LostError) Unwrap() error { return e.failure() }

func (e *LostError) failure() *child.Failure {
	f := &child.Failure{
		Text: "the process that issued this requestState has ended", Reason: ReasonStateLost,
		Hint: "repeat the call without requestState and inputResponses",
	}
	if e.Elsewhere {
		f.Reason = ReasonStateElsewhere
		f.Text = "no process here issued this requestState: it is from another instance, another caller, or more than an hour ago"
	}
	return f
}

// Continue returns the process of the caller's pool that minted state, entered: Leave must follow.
//
// It fails with a *LostError or admission.ErrClosed.
func (ps *Pools) Continue(server *Server, caller Caller, state string) (*Worker, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return nil, admission.ErrClosed
	}
	p := ps.pools[caller.key(server)]
	if p == nil {
		return nil, &LostError{Elsewhere: true}
	}
	if err := p.busyLocked(); err != nil {
		return nil, err
	}
	m, known := p.states.Get(digestOf(state))
	if !known || m.w == nil || !m.w.enter() {
		return nil, &LostError{Elsewhere: !known}
	}
	return m.w, nil
}

// Minters say which instance has the process that minted a requestState, by a name that says nothing else of it.
type Minters interface {
	// Minted says that this instance has it, for as long as life.
	Minted(ctx context.Context, name string, life time.Duration) error
	// Minter returns which other instance that lives has it; "" if none has. gone says that one had it and
	// has ended.
	Minter(ctx context.Context, name string) (owner string, gone bool, err error)
}

// Minter returns which other instance has the process that minted state. It fails with a *LostError if none has
// that lives, or with a *child.Failure if that cannot be found out.
func (ps *Pools) Minter(ctx context.Context, server *Server, caller Caller, state string) (string, error) {
	if ps.minters == nil {
		return "", &LostError{Elsewhere: true}
	}
	owner, gone, err := ps.minters.Minter(ctx, stateName(caller.key(server), state))
	switch {
	case err != nil && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		ps.log.Warn("cannot find the instance that issued a requestState", "server", server.Name, "error", err)
		return "", &child.Failure{
			Text: "cannot find the instance that issued this requestState; try again soon", Reason: child.ReasonUnsure, Retryable: true,
		}
	case owner == "":
		return "", &LostError{Elsewhere: !gone}
	}
	return owner, nil
}

// minted remembers that w minted state, and tells other instances.
func (ps *Pools) minted(w *Worker, state string) {
	ps.remember(w, state)
	if ps.minters == nil {
		return
	}
	if err := ps.minters.Minted(w.ctx, stateName(w.key, state), stateLife); err != nil {
		w.log.Warn("cannot tell other instances about a requestState: only this one can answer calls with it", "error", err)
	}
}

func (ps *Pools) remember(w *Worker, state string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	w.pool.states.Put(digestOf(state), w.mint, time.Now().Add(stateLife))
}

// stateName is what a requestState is called among instances.
func stateName(key admission.Key, state string) string {
	key.ID = state
	return key.Name("mcpfunc requestState")
}

type digest [sha256.Size]byte

func digestOf(state string) digest { return sha256.Sum256([]byte(state)) }

// A mint is a process that issues requestStates.
type mint struct{ w *Worker } // nil once it has ended
