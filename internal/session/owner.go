package session

import (
	"context"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
)

// Owners say which instance has the process of a session, by a name that says nothing else of it. A process
// stays where it is: requests go there, and an instance that would start another one for the same session asks first.
type Owners interface {
	// Claim makes this instance the owner, until release is called. If another one that lives is it,
	// elsewhere says which. lost is called if another one has become it, since this one was taken for dead.
	Claim(ctx context.Context, name string, lost func()) (release func(), elsewhere string, err error)
	// Declare is Claim for a session of which no other instance can know. Who cannot be told is told later.
	Declare(ctx context.Context, name string, lost func()) (release func())
	// Owner returns which other instance that lives is the owner; "" if none is.
	Owner(ctx context.Context, name string) (string, error)
	// Forget makes Owner find out again.
	Forget(name string)
}

// An ElsewhereError says that the session is on another instance.
type ElsewhereError struct{ Owner string }

func (e *ElsewhereError) Error() string { return "the session is on another instance" }

// ownerName is what the session of key is called among instances.
func ownerName(key admission.Key) string { return key.Name("mcpfunc session owner") }

// OwnerName is what the session of o is called among instances.
func (o Opening) OwnerName() string { return ownerName(o.key()) }

// Owner returns which other instance has the session of o; "" if none that lives does. It fails with a
// *child.Failure if that cannot be found out.
func (t *Table) Owner(ctx context.Context, o Opening) (string, error) {
	if t.sharing.Owners == nil {
		return "", nil
	}
	owner, err := t.sharing.Owners.Owner(ctx, o.OwnerName())
	switch {
	case err != nil && t.tombstones.isOver(o.ID):
		return "", nil // it has ended here, and another one that has it would be news
	case err != nil:
		return "", t.unsure(ctx, o.Server, noOwner, err)
	}
	return owner, nil
}

// ForgetOwner makes Owner find the owner of the session of o again.
func (t *Table) ForgetOwner(o Opening) {
	if t.sharing.Owners != nil {
		t.sharing.Owners.Forget(o.OwnerName())
	}
}

const noOwner = "cannot find the instance that owns this session"

// unsure is the failure of what cannot be done before something is found out about a session: text says what, and
// err why it cannot be.
func (t *Table) unsure(ctx context.Context, server *Server, text string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.log.Warn("session not served", "server", server.Name, "why", text, "error", err)
	return &child.Failure{Text: text + "; try again soon", Reason: child.ReasonUnsure, Retryable: true}
}

// An ownership is what was claimed for a session that is about to be opened. The nil one is of nothing.
type ownership struct {
	release func()

	mu   sync.Mutex
	s    *Session // nil before it is open
	lost bool
}

// claim makes this instance the owner of the session of o. It fails with an *ElsewhereError, or a
// *child.Failure if it cannot be found out whether another one is.
func (t *Table) claim(ctx context.Context, o Opening) (*ownership, error) {
	if t.sharing.Owners == nil {
		return nil, nil
	}
	w := &ownership{}
	release, elsewhere, err := t.sharing.Owners.Claim(ctx, o.OwnerName(), func() {
		if s := w.lose(); s != nil {
			moved(s)
		}
	})
	switch {
	case err != nil:
		return nil, t.unsure(ctx, o.Server, noOwner, err)
	case elsewhere != "":
		return nil, &ElsewhereError{elsewhere}
	}
	w.release = release
	return w, nil
}

func (w *ownership) lose() *Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = true
	return w.s
}

// give makes s, which is open now, give back what was claimed for it.
func (w *ownership) give(s *Session) {
	if w == nil {
		return
	}
	keep(s, w.release)
	if w.given(s) {
		moved(s)
	}
}

// given notes whose w is, and reports whether it is lost.
func (w *ownership) given(s *Session) (lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.s = s
	return w.lost
}

// drop gives back what was claimed for a session that is not opened.
func (w *ownership) drop() {
	if w != nil {
		w.release()
	}
}

// declare tells other instances that s, which no request can reach elsewhere yet, is here under this id.
func (t *Table) declare(s *Session, id string) {
	if t.sharing.Owners == nil {
		return
	}
	key := s.Key
	key.ID = id
	keep(s, t.sharing.Owners.Declare(s.ctx, ownerName(key), func() { moved(s) }))
}

// moved ends s because another instance serves it: this one was taken for dead.
func moved(s *Session) {
	f := &child.Failure{Text: "another instance serves the session now", Reason: child.ReasonElsewhere, Retryable: true}
	s.finish(f, func() bool { return true })
}

// keep notes what has to be called when s ends, so that other instances know, or calls it if s has ended.
func keep(s *Session, release func()) {
	s.mu.Lock()
	over := s.why != nil
	if !over {
		s.owned = append(s.owned, release)
	}
	s.mu.Unlock()
	if over {
		release()
	}
}

// disown gives back what s has, which has ended.
func disown(s *Session) {
	s.mu.Lock()
	owned := s.owned
	s.owned = nil
	s.mu.Unlock()
	for _, release := range owned {
		release()
	}
}
