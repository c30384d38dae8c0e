package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// An Opening says which session Open opens.
type Opening struct {
	Server    *Server
	Principal string
	Client    string // the program that the principal uses; empty if it is not known
	Caller    any    // for Spec.Launch; may be a child.Renewer, and an io.Closer, which is closed when the session's process is gone
	ID        string // that the client chose; empty to mint one
	// Version is the protocol version for which we initialize the process ourselves, because the
	// client does not; empty if it does.
	Version string
	// Initialize is the client's, which is to be sent next, where it is known already; it is not kept. A session
	// that is there under ID is ended then, instead of being returned.
	Initialize *message.Message
	// Request names the HTTP request in the log; empty if it has no name.
	Request string
	// Ends is when calls must have ended, since the only stream of the session, as HTTP with SSE has it, ends by the
	// Functions host, which lets a request take HostLimit. It is zero for other sessions.
	Ends      time.Time
	HostLimit time.Duration

	ticket *ticket.Ticket // of the session that is taken over; nil for a new one
}

// handshake returns what the process is told first, and for how long the session may be idle.
func (o Opening) handshake() (h handshake, idle time.Duration, err error) {
	idle = o.Server.Idle
	switch {
	case o.ticket != nil:
		h, err = recall(o.ticket)
	case o.Version != "":
		h = introduce(o.Version)
		if o.ID == "" {
			idle = min(idle, anonymousIdle)
		}
	}
	return h, idle, err
}

// Open opens a session and returns it, entered: Leave must follow. With an ID whose session is
// there it returns that, unless Initialize is set. The process starts in the background, unless the server is known
// to answer what the session begins with: then it starts when it is needed. Open fails with
// a *admission.FullError or admission.ErrClosed, and, with an ID, an *ElsewhereError if another instance has
// the session, or a *child.Failure if that cannot be found out.
func (t *Table) Open(ctx context.Context, o Opening) (*Session, error) {
	h, idle, err := o.handshake()
	if err != nil {
		return nil, err
	}
	key := o.key()
	var own *ownership
	if key.ID == "" {
		key.ID = mint()
	} else if own, err = t.claim(ctx, o); err != nil {
		return nil, err
	}
	for {
		t.admission.Measure()
		h := h
		talk := t.recall(o, &h)
		s, old, victim, err := t.admit(key, o, h, talk, idle)
		switch {
		case old != nil:
			old.Close("the client reinitialized it")
		case victim != nil:
			victim.Evict()
		case err != nil:
			own.drop()
			return nil, err
		default:
			own.give(s)
			return s, nil
		}
	}
}

// admit returns the session under key, entered: one that is there, or a new one. Or it says which one
// must be closed first, for it is to be another, or who must make room.
func (t *Table) admit(key admission.Key, o Opening, h handshake, talk Talk, idle time.Duration) (s, old *Session, victim admission.Tenant, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, nil, admission.ErrClosed
	}
	if s := t.sessions[key]; s != nil {
		switch {
		case o.Initialize != nil && s.Alive():
			return nil, s, nil, nil
		case o.Initialize == nil && s.Enter():
			return s, nil, nil, nil
		}
		delete(t.sessions, key) // it has ended, and is about to be forgotten
	}
	alias := t.admission.Alias(key)
	s = newSession(t, key, alias, o, h, talk, idle)
	s.Enter()
	victim, err = t.admission.Admit(s, key, o.Server.Limits, s.launched)
	if victim != nil || err != nil {
		s.cancel()
		if _, full := errors.AsType[*admission.FullError](err); full {
			t.count.refused.Add(1)
		}
		return nil, nil, victim, err
	}
	s.rec = t.watch.Open(key.Server, alias, false, child.SecretsOf(o.Caller))
	t.fileLocked(s, key)
	t.count.opened.Add(1)
	if s.launched {
		t.runLocked(s, "session opened", o.Request)
	} else {
		t.idle++
		if s.log.Enabled(t.ctx, slog.LevelDebug) { // there are many, and most only list
			t.running.Go(func() { s.log.Debug("session opened without a process", "request", o.Request) })
		}
	}
	return s, nil, nil, nil
}

// runLocked runs the process of s in the background, from its start to its end. The log says why.
func (t *Table) runLocked(s *Session, why, request string) {
	t.running.Go(func() {
		child.OnOwnStack(func() { s.log.Info(why, "request", request) })
		s.supervise()
		t.over(s)
	})
}

// over lets go of what s holds, whose process is gone, or which never had one.
func (t *Table) over(s *Session) {
	child.CloseCaller(s.Caller)
	idle := !launched(s)
	t.mu.Lock()
	delete(t.alive, s)
	if idle {
		t.idle--
	}
	t.mu.Unlock()
	t.admission.Remove(s)
	t.count.ended.Add(1)
}
