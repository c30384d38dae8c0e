package session

import (
	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A record is a message of a client that may have to be said again, as it stood; empty for none. It is
// the text alone, since a Message has room for more than most need, and a session may be idle for hours.
type record string

// recordBytes bounds a record: records are not part of any budget. No well-behaved client
// comes near it.
const recordBytes = bufpool.Size

// recorded returns the record of m, which is empty if m is too large for one.
func recorded(m *message.Message) record {
	if m.Len() > recordBytes {
		return ""
	}
	return record(m.Bytes())
}

// message returns it as it was. The caller frees it.
func (r record) message() *message.Message { return message.Must([]byte(r)) }
