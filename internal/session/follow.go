package session

import (
	"context"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/stream"
)

// Streams of sessions with sealed ids, where instances share events. What clients can come back for is
// written into a log that any instance reads: of each stream as much as its session keeps of it.

// logName is what the logs of the streams of a session are found by that is known by a sealed id.
func logName(key admission.Key, id string) eventlog.Name {
	return eventlog.Name{Holder: holder(key), Session: id}
}

// Follow returns a reader of the stream of e, beginning with the event after it, in this session, whose
// stream it is but in another life. Leave must follow. It fails with stream.ErrElsewhere if the instances
// do not share it, or it is not kept any more.
func (s *Session) Follow(ctx context.Context, e stream.EventID) (*stream.Follower, error) {
	s.mu.Lock()
	id, protocol := s.sealed, s.handshake.version
	s.mu.Unlock()
	if id == "" {
		return nil, stream.ErrElsewhere
	}
	return s.table.follow(ctx, logName(s.Key, id), e, protocol)
}

// Follow is Session.Follow for the session that o names, which is not here. It starts nothing, and does
// not ask whether another process may take the session over: the stream goes on where it is. It fails
// as CanTakeOver does, too.
func (t *Table) Follow(ctx context.Context, o Opening, e stream.EventID) (*stream.Follower, error) {
	if t.sharing.Events == nil {
		return nil, stream.ErrElsewhere
	}
	tk, err := t.ticketOf(o)
	if err != nil || t.tombstones.isOver(o.ID) {
		return nil, ErrUnknown
	}
	if err := t.revoked(ctx, o); err != nil {
		return nil, err
	}
	return t.follow(ctx, logName(o.key(), o.ID), e, tk.Version)
}

func (t *Table) follow(ctx context.Context, name eventlog.Name, e stream.EventID, protocol string) (*stream.Follower, error) {
	return stream.Follow(ctx, t.ctx, stream.Remote{
		Events: t.sharing.Events, Name: name, ID: e, Protocol: protocol,
		Lost: func() *message.Message { return Elsewhere(e) },
	}, t.log)
}

// Elsewhere is the answer to the request of e when its stream is not here; nil if e names none.
func Elsewhere(e stream.EventID) *message.Message {
	if e.Request == "" {
		return nil
	}
	f := child.Failure{
		Text: "the process that was to answer has ended, or is on another instance; " +
			"the call may have taken effect",
		Reason: child.ReasonElsewhere, Retryable: true,
	}
	return f.Answer([]byte(e.Request))
}
