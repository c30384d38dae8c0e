package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Travel says what of a session outlives its process: an id that is sealed with Keys says enough of
// its session for any table with the same keys to serve it. The zero Travel makes ids that one table
// knows, for as long as it holds their sessions.
type Travel struct {
	Keys   *ticket.Keys
	Shared bool          // other instances have the keys too, and no request is sure to come back here
	Ended  Revocations   // where instances tell each other which sessions are over; nil for nowhere
	Events *eventlog.Log // where instances write what streams say for each other; nil for nowhere
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
	for k, s := range t.sessions {
		if s.known != s.Key {
			ids = append(ids, k.ID)
		}
	}
	for k := range t.wakings {
		ids = append(ids, k.ID)
	}
	return ids
}

// endHeld ends the session that has this sealed id, or will have, because another instance says so.
func (t *Table) endHeld(id string) {
	t.mu.Lock()
	var held *Session
	for k, s := range t.sessions { // seldom, and no request waits
		if k.ID == id && s.known != s.Key {
			held = s
		}
	}
	for k := range t.wakings {
		if k.ID == id { // written before it can be renamed, which is before it is read
			t.past.write(id, time.Time{}, time.Now().Add(time.Hour))
		}
	}
	t.mu.Unlock()
	if held != nil {
		held.Close("the client ended it on another instance")
	}
}

// holder is who an id of key is good for.
func (k Key) holder() ticket.Holder {
	return ticket.Holder{Server: k.Server, Principal: k.Principal, Client: k.Client}
}

// Announce returns the id by which the client is to know the session, just before it is told. That
// of a session which a client initialized is sealed now and not before, because it says what the
// server answered. When something else comes before that answer, the id goes out with it and says
// what the client asked for: who serves the session later then insists on that version.
func (s *Session) Announce() string {
	t := s.table
	s.mu.Lock()
	h := s.shake
	s.mu.Unlock()
	request := h.request
	if request == "" {
		request = h.asked
	}
	if t.travel.Keys == nil || !s.sealable || request == "" {
		return s.ID
	}
	params := paramsOf(request)
	sealed := ticket.Ticket{Version: h.version, Initialize: params, Result: h.digest, Created: s.created}
	if sealed.Version == "" {
		sealed.Version = askedVersion(params)
	}
	id, err := t.travel.Keys.Seal(s.holder(), sealed)
	if err != nil {
		if !errors.Is(err, ticket.ErrTooLong) {
			s.log.Error("cannot seal the session's id", "error", err)
		}
		s.log.Debug("the session's id is plain, and good on this instance alone", "why", err)
		return s.ID
	}
	if !t.rename(s, id) {
		return s.ID
	}
	return id
}

// rename makes s known by a sealed id and no longer by the one that it was opened with. It reports
// false if s has ended.
func (t *Table) rename(s *Session, id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.mu.Lock()
	was, here := s.known, s.why == nil && t.sessions[s.known] == s
	if here {
		s.known.ID = id
	}
	s.mu.Unlock()
	if !here {
		return false
	}
	delete(t.sessions, was)
	t.sessions[s.known] = s
	t.arrived(s)
	return true
}

// paramsOf returns the params of a request as they stand, or nil.
func paramsOf(request record) []byte {
	var r struct {
		Params json.RawMessage `json:"params"`
	}
	json.Unmarshal([]byte(request), &r)
	return r.Params
}

// askedVersion is the protocol version that a client asked for.
func askedVersion(params []byte) string {
	var p struct {
		ProtocolVersion string `json:"protocolVersion"`
	}
	json.Unmarshal(params, &p)
	return p.ProtocolVersion
}

// digest tells servers apart by what they say that they are and can do.
func (r *initializeResult) digest() [8]byte {
	var b bytes.Buffer
	for _, part := range []json.RawMessage{r.Result.Capabilities, r.Result.ServerInfo} {
		if json.Compact(&b, part) != nil {
			b.WriteString("null")
		}
		b.WriteByte('\n')
	}
	return ticket.Digest(b.Bytes())
}
