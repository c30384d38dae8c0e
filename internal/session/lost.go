package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// endless is how long ids are remembered that are never too old.
const endless = 365 * 24 * time.Hour

// Lost returns nil if o.ID is of a session that is not here and that Resurrect may bring here. It
// fails with ErrUnknown, whatever the reason: an id that was never sealed, or for somebody else, is
// as unknown as one that is too old, and as one whose session is over. While that cannot be found out
// it fails with a *Failure. It starts nothing.
func (t *Table) Lost(ctx context.Context, o Opening) error {
	if _, err := t.lost(o); err != nil {
		return err
	}
	return t.revoked(ctx, o)
}

// lost is Lost as far as it is known here.
func (t *Table) lost(o Opening) (*ticket.Ticket, error) {
	tk, err := t.ticketOf(o)
	if err != nil || t.past.over(o.ID) {
		return nil, ErrUnknown
	}
	if granted, known := t.mayReturn(o.Server); known && !granted {
		return nil, ErrUnknown
	}
	return tk, nil
}

// revoked returns nil if no other instance has said that the session of o is over.
func (t *Table) revoked(ctx context.Context, o Opening) error {
	if t.travel.Ended == nil {
		return nil
	}
	over, err := t.travel.Ended.Revoked(ctx, o.ID)
	if err != nil {
		t.log.Error("cannot find out whether a session is over, so that it is not taken over", "server", o.Server.Name, "error", err)
		return &Failure{Text: "it cannot be found out now whether this session is over; try again soon", Reason: ReasonUnsure, Retryable: true}
	}
	if over {
		return ErrUnknown
	}
	return nil
}

// ticketOf opens o.ID. It fails with ErrUnknown, too, if that is too old.
func (t *Table) ticketOf(o Opening) (*ticket.Ticket, error) {
	if t.travel.Keys == nil {
		return nil, ErrUnknown
	}
	tk, err := t.travel.Keys.Open(o.key().holder(), o.ID)
	if err != nil || o.Server.MaxAge > 0 && time.Since(tk.Created) > o.Server.MaxAge {
		return nil, ErrUnknown
	}
	return &tk, nil
}

// until says how long an id of server has to be remembered.
func (s *Server) until(created time.Time) time.Time {
	if s.MaxAge == 0 {
		return time.Now().Add(endless)
	}
	return created.Add(s.MaxAge)
}

// A waking is the resurrection of one session.
type waking struct {
	done chan struct{} // closed when it is over
	err  error         // of it; set before done is closed
}

// Resurrect returns the session that o.ID names, entered: Leave must follow. If it is not here but
// may be, another process takes it over: it is told what the client said when the session began, and
// must speak the same protocol version as the one before. Requests that come at the same time share
// one process. It fails with ErrUnknown, as Lost does, a *FullError, ErrClosed, a *Failure of the
// process, or ctx's error.
func (t *Table) Resurrect(ctx context.Context, o Opening) (*Session, error) {
	tk, err := t.lost(o)
	if err != nil {
		return nil, err
	}
	for {
		s, w := t.wake(o, tk)
		if s != nil {
			return s, nil
		}
		select {
		case <-w.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if w.err != nil {
			return nil, w.err
		}
	}
}

// wake returns the session of o, entered, or its resurrection, which goes on if its callers go away.
func (t *Table) wake(o Opening, tk *ticket.Ticket) (*Session, *waking) {
	key := o.key()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sessions[key]; s != nil && s.Enter() {
		return s, nil
	}
	w := t.wakings[key]
	if w != nil {
		return nil, w
	}
	w = &waking{done: make(chan struct{})}
	if t.closed {
		w.err = ErrClosed
		close(w.done)
		return nil, w
	}
	t.wakings[key] = w
	t.running.Go(func() {
		w.err = t.resurrect(o, tk)
		t.mu.Lock()
		delete(t.wakings, key)
		t.mu.Unlock()
		close(w.done)
	})
	return nil, w
}

// resurrect opens the session of tk under an id that nobody knows, and gives it its own once it is
// known to be what the client takes it for.
func (t *Table) resurrect(o Opening, tk *ticket.Ticket) error {
	// Not before held lists the id: what is said of it from now on is heard.
	if err := t.revoked(t.ctx, o); err != nil {
		return err
	}
	done, err := t.only(o.Server)
	if err != nil {
		return err
	}
	defer done()
	again := o
	again.ID, again.lost = "", tk
	s, err := t.Open(again)
	if err != nil {
		return err
	}
	defer s.Leave()
	if _, err := s.running(t.ctx); err != nil {
		var f *Failure
		switch {
		case !errors.As(err, &f):
			return ErrClosed
		case f.Reason == ReasonChanged:
			return ErrUnknown
		}
		t.running.Go(func() { s.abandon(f) }) // which waits for a first download
		return err
	}
	if !s.askLeave(t.ctx) {
		s.Close("another process may not take it over: the server's tools do not all say that they are read-only or idempotent")
		return ErrUnknown
	}
	if s.server.OnLost == Notify {
		s.TellChanged()
	}
	if !t.rename(s, o.ID) {
		return ErrUnknown
	}
	if t.past.wake(o.ID); t.past.over(o.ID) {
		s.Close("it was ended while it was taken over")
		return ErrUnknown
	}
	t.count.resurrected.Add(1)
	s.log.Info("session taken over", "began", tk.Created)
	return nil
}

// recall returns the handshake of a session that a client initialized with another process.
func recall(tk *ticket.Ticket) (handshake, error) {
	request := record(fmt.Sprintf(`{"jsonrpc":"2.0","id":"mcpfunc-0","method":"initialize","params":%s}`, tk.Initialize))
	m, err := request.message()
	if err != nil {
		return handshake{}, ErrUnknown
	}
	m.Free()
	return handshake{request: request, version: tk.Version, digest: tk.Result, follow: initialized, told: true}, nil
}

// Delete ends the session of o for good, wherever it is: here, and where a store says it on other
// instances too. Without one its id is remembered here alone. It fails with ErrUnknown.
func (t *Table) Delete(ctx context.Context, o Opening) error {
	here := t.closeHere(o.key())
	tk, err := t.ticketOf(o)
	switch {
	case err != nil && here:
		return nil // and was never anywhere else
	case err != nil || !here && t.past.over(o.ID):
		return ErrUnknown
	}
	until := o.Server.until(tk.Created)
	t.past.write(o.ID, time.Time{}, until)
	t.closeHere(o.key()) // if it has come back in between
	if t.travel.Ended == nil {
		return nil
	}
	if err := t.travel.Ended.Revoke(ctx, o.ID, until); err != nil {
		t.log.Error("other instances could not be told that a session is over", "server", o.Server.Name, "error", err)
	}
	return nil
}

// closeHere ends the session of key, and reports whether it was here.
func (t *Table) closeHere(key Key) bool {
	s, err := t.Find(key)
	if err != nil {
		return false
	}
	s.Close("the client ended it")
	s.Leave()
	return true
}
