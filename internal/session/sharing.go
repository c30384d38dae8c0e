package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Sharing says what of a session outlives its process: an id that is sealed with Keys says enough of
// its session for any table with the same keys to serve it. The zero Sharing makes ids that one table
// knows, for as long as it holds their sessions.
type Sharing struct {
	Keys      *ticket.Keys
	Instances bool          // other instances have the keys too, and no request is sure to come back here
	Ended     Revocations   // where instances tell each other which sessions are over; nil for nowhere
	Events    *eventlog.Log // where instances write what streams say for each other; nil for nowhere
	Owners    Owners        // where instances say which of them has a session; nil for nowhere
}

// Revocations are sessions that are over, as several instances know them. While Revoked fails no
// session is taken over; those that are here go on.
type Revocations interface {
	Revoke(ctx context.Context, id string, until time.Time) error
	Revoked(ctx context.Context, id string) (bool, error)
	// Watch calls end for each id among held that is revoked elsewhere, until ctx ends.
	Watch(ctx context.Context, held func() []string, end func(id string))
}

// held lists the sealed ids of the sessions that are here or on their way.
func (t *Table) held() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids []string
	for key, s := range t.sessions {
		if key != s.Key { // which it was opened with
			ids = append(ids, key.ID)
		}
	}
	for key := range t.takeovers {
		ids = append(ids, key.ID)
	}
	return ids
}

// endHeld ends the session that has this sealed id, or will have, because another instance says so.
func (t *Table) endHeld(id string) {
	if s := t.heldAs(id); s != nil {
		s.Close("the client ended it on another instance")
	}
}

// heldAs returns the session that has this sealed id, or nil. One that will have it is noted to be over.
func (t *Table) heldAs(id string) (held *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, s := range t.sessions { // seldom, and no request waits
		if key.ID == id && key != s.Key {
			held = s
		}
	}
	for key := range t.takeovers {
		if key.ID == id { // written before it can be filed by that id, which is before it is read
			t.tombstones.write(id, time.Time{}, time.Now().Add(time.Hour))
		}
	}
	return held
}

// Announce returns the id by which the client is to know the session, just before it is told. That
// of a session which a client initialized is sealed now and not before, because it says what the
// server answered. When something else comes before that answer, the id goes out with it and says
// what the client asked for alone: who serves the session later takes the version that its process
// answers to that.
func (s *Session) Announce() string {
	id := seal(s)
	s.table.declare(s, id)
	return id
}

// seal returns the id of s, a sealed one if there can be one.
func seal(s *Session) string {
	keys := s.table.sharing.Keys
	s.mu.Lock()
	h := s.handshake
	s.mu.Unlock()
	request := cmp.Or(h.request, h.asked)
	if keys == nil || !s.sealable || request == "" {
		return s.ID
	}
	params := paramsOf(request)
	tk := ticket.Ticket{Version: h.version, Initialize: params, Result: h.digest, Created: s.created}
	id, err := keys.Seal(holder(s.Key), tk)
	if err != nil {
		if !errors.Is(err, ticket.ErrTooLong) {
			s.log.Error("cannot seal the session's id", "error", err)
		}
		s.log.Debug("session id not sealed: it is valid on this instance only", "why", err)
		return s.ID
	}
	if !s.table.refile(s, id) {
		return s.ID
	}
	return id
}

// paramsOf returns the params of a request as they stand, or nil.
func paramsOf(request record) []byte {
	var r struct {
		Params json.RawMessage `json:"params"`
	}
	json.Unmarshal([]byte(request), &r)
	return r.Params
}
