package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// endless is how long ids are remembered that are never too old.
const endless = 365 * 24 * time.Hour

// CanTakeOver returns nil if o.ID is of a session that is not here and that TakeOver may bring here. It
// fails with ErrUnknown, whatever the reason: an id that was never sealed, or for someone else, is
// as unknown as one that is too old, and as one whose session is over. While that cannot be found out
// it fails with a *child.Failure. It starts nothing.
func (t *Table) CanTakeOver(ctx context.Context, o Opening) error {
	if _, err := t.takeoverTicket(o); err != nil {
		return err
	}
	return t.revoked(ctx, o)
}

// takeoverTicket is CanTakeOver as far as it is known here.
func (t *Table) takeoverTicket(o Opening) (*ticket.Ticket, error) {
	tk, err := t.ticketOf(o)
	if err != nil || t.tombstones.isOver(o.ID) {
		return nil, ErrUnknown
	}
	if granted, known := t.permissions.of(o.Server); known && !granted {
		return nil, ErrUnknown
	}
	return tk, nil
}

// revoked returns nil if no other instance has said that the session of o is over.
func (t *Table) revoked(ctx context.Context, o Opening) error {
	if t.sharing.Ended == nil {
		return nil
	}
	over, err := t.sharing.Ended.Revoked(ctx, o.ID)
	if err != nil {
		return t.unsure(ctx, o.Server, "cannot find out whether this session is over", err)
	}
	if over {
		return ErrUnknown
	}
	return nil
}

// until says how long an id of server has to be remembered.
func (s *Server) until(created time.Time) time.Time {
	if s.MaxAge == 0 {
		return time.Now().Add(endless)
	}
	return created.Add(s.MaxAge)
}

// tooOld reports whether an id of a session that began then is good for nothing but a session that is
// here.
func (s *Server) tooOld(created time.Time) bool {
	return s.MaxAge > 0 && time.Since(created) > s.MaxAge
}

// A takeover is that of one session.
type takeover struct {
	done chan struct{} // closed when it is over
	err  error         // of it; set before done is closed
}

// TakeOver returns the session that o.ID names, entered: Leave must follow. If it is not here but
// may be, another process takes it over: it is told what the client said when the session began, and
// must speak the same protocol version as the one before. Requests that come at the same time share
// one process. It fails with ErrUnknown, as CanTakeOver does, an *ElsewhereError if another instance has the
// session, a *admission.FullError, admission.ErrClosed, a *child.Failure of the process, or ctx's error.
func (t *Table) TakeOver(ctx context.Context, o Opening) (*Session, error) {
	tk, err := t.takeoverTicket(o)
	if err != nil {
		return nil, err
	}
	for {
		s, to := t.findOrTakeOver(o, tk)
		if s != nil {
			return s, nil
		}
		select {
		case <-to.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if to.err != nil {
			return nil, to.err
		}
	}
}

// findOrTakeOver returns the session of o, entered, or its takeover, which goes on if its callers go
// away.
func (t *Table) findOrTakeOver(o Opening, tk *ticket.Ticket) (*Session, *takeover) {
	key := o.key()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sessions[key]; s != nil && s.Enter() {
		return s, nil
	}
	to := t.takeovers[key]
	if to != nil {
		return nil, to
	}
	to = &takeover{done: make(chan struct{})}
	if t.closed {
		to.err = admission.ErrClosed
		close(to.done)
		return nil, to
	}
	t.takeovers[key] = to
	t.running.Go(func() {
		to.err = t.takeOver(o, tk)
		t.mu.Lock()
		delete(t.takeovers, key)
		t.mu.Unlock()
		close(to.done)
	})
	return nil, to
}

// takeOver opens the session of tk under an ID that no client knows, and gives it its own once it is
// known to be what the client takes it for.
func (t *Table) takeOver(o Opening, tk *ticket.Ticket) error {
	// Not before held lists the id: what is said of it from now on is heard.
	if err := t.revoked(t.ctx, o); err != nil {
		return err
	}
	release, err := t.permissions.acquire(t.ctx, o.Server)
	if err != nil {
		return orClosed(err)
	}
	defer release()
	own, err := t.claim(t.ctx, o)
	if err != nil {
		return err
	}
	again := o
	again.ID, again.ticket = "", tk
	s, err := t.Open(t.ctx, again)
	if err != nil {
		own.drop()
		return err
	}
	own.give(s)
	defer s.Leave()
	if _, err := s.ready(t.ctx, nil); err != nil {
		f, ok := errors.AsType[*child.Failure](err)
		switch {
		case !ok:
			return orClosed(err)
		case f.Reason == child.ReasonChanged:
			return ErrUnknown
		}
		t.running.Go(func() { s.abandon(f) }) // which waits for a first download
		return err
	}
	if !t.permissions.ask(t.ctx, s) {
		s.Close("another process may not take it over: not all of the server's tools are marked read-only or idempotent")
		return ErrUnknown
	}
	if s.server.OnLost == Notify {
		s.NotifyChanged()
	}
	if !t.refile(s, o.ID) {
		return ErrUnknown
	}
	if t.tombstones.wake(o.ID); t.tombstones.isOver(o.ID) {
		s.Close("it ended while it was being taken over")
		return ErrUnknown
	}
	t.count.takenOver.Add(1)
	s.log.Info("session taken over", "began", tk.Created)
	return nil
}

// orClosed is err, or that the app shuts down if that is what ended a context of ours.
func orClosed(err error) error {
	if errors.Is(err, context.Canceled) {
		return admission.ErrClosed
	}
	return err
}

// recall returns the handshake of a session that a client initialized with another process.
func recall(tk *ticket.Ticket) (handshake, error) {
	request := record(fmt.Sprintf(`{"jsonrpc":"2.0","id":"mcpfunc-0","method":"initialize","params":%s}`, tk.Initialize))
	if !json.Valid([]byte(request)) {
		return handshake{}, ErrUnknown
	}
	return handshake{request: request, version: tk.Version, digest: tk.Result, confirmation: initialized, confirmedByUs: true}, nil
}

// Delete ends the session of o for good, wherever it is: here, and where a store says it on other
// instances too. Without one its id is remembered here alone. It fails with ErrUnknown.
func (t *Table) Delete(ctx context.Context, o Opening) error {
	here := t.closeHere(o.key())
	tk, err := t.ticketOf(o)
	switch {
	case err != nil && here:
		return nil // and was never anywhere else
	case err != nil || !here && t.tombstones.isOver(o.ID):
		return ErrUnknown
	}
	until := o.Server.until(tk.Created)
	t.tombstones.write(o.ID, time.Time{}, until)
	t.closeHere(o.key()) // if it has come back in between
	if t.sharing.Ended == nil {
		return nil
	}
	if err := t.sharing.Ended.Revoke(ctx, o.ID, until); err != nil {
		t.log.Error("cannot tell other instances that a session is over", "server", o.Server.Name, "error", err)
	}
	return nil
}

// closeHere ends the session of key, and reports whether it was here.
func (t *Table) closeHere(key admission.Key) bool {
	s, err := t.Find(key)
	if err != nil {
		return false
	}
	s.Close("the client ended it")
	s.Leave()
	return true
}
