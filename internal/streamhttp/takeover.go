package streamhttp

import (
	"net/http"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/session"
)

// takeOver serves a POST to a session that is not here: it returns the session if another process has
// taken it over, and nil when it has answered.
//
// A request brings a session here. A notification is accepted and starts nothing: what it is about,
// that the client is initialized, that a request is cancelled, that its roots are others, a process
// that is started later knows without it or never had. The answer to a request of a server is for the
// process that asked, and is refused, so that the client does not assume that it succeeded: with 503, because it may be sent
// again and reach that process then, and because a client takes 400 for the end of its session.
func (q *request) takeOver(id string, m *message.Message) (*session.Session, error) {
	o := q.opening(id)
	switch m.Kind() {
	case message.Notification, message.Response:
		if err := q.Table.CanTakeOver(q.ctx, o); err != nil {
			return nil, err
		}
		if m.Kind() == message.Notification {
			q.w.WriteHeader(http.StatusAccepted)
		} else {
			q.refuse(http.StatusServiceUnavailable, codeInternal, "the process that asked this has ended, or is on another instance")
		}
		return nil, nil
	}
	said := q.Table.Protocol(o)
	s, err := q.Table.TakeOver(q.ctx, o)
	if err != nil || said != "" {
		return s, err
	}
	// The id does not say what version was negotiated; the client may.
	if v := q.r.Header.Get(HeaderVersion); v != "" && v != s.Protocol() {
		s.Leave()
		return nil, session.ErrUnknown
	}
	return s, nil
}
