package session

import (
	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// maxInFlight bounds the requests of one session that the server has not answered, and the messages that wait to
// be passed on to it: a client has a few at a time, and 12,000 took 114 MiB.
const maxInFlight = 512

var errBusy = &admission.BusyError{What: "the session", Limit: maxInFlight}

// roomFor reports whether n more requests may be in flight.
func (x *router) roomFor(messages []*message.Message) bool {
	n := len(x.pending)
	for _, m := range messages {
		if m.Kind() == message.Request {
			n++
		}
	}
	return n <= maxInFlight
}
