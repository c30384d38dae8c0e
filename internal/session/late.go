package session

import (
	"fmt"

	"github.com/mcpfunc/mcpfunc/internal/message"
	"github.com/mcpfunc/mcpfunc/internal/recent"
)

// Late answers: a request that has timed out or was cancelled is answered by us, and the process may
// answer it all the same, minutes later. Its id is taken until the process has answered or is gone, so
// that this answer is never taken for that to a later request with the same id: such a request goes to
// the process under an id of ours.

// maxLate bounds how many late answers are waited for. Beyond it the oldest is forgotten.
const maxLate = 1024

// late are ids, by message.Key.
type late = recent.Map[string, struct{}]

// rename gives p, whose id the process may still answer for an earlier request, another one there.
func (x *router) rename(p *pending, m *message.Message) {
	x.renames++
	x.renamed[p.key] = p
	p.sent = fmt.Sprintf(`"mcpfunc-again-%d"`, x.renames)
	p.key = p.sent
	m.Splice(message.Edit{Part: message.PartID, Text: []byte(p.sent)})
}

// ofClient returns the request in flight that the client knows by this id.
func (x *router) ofClient(id []byte) (*pending, bool) {
	if p := x.renamed[message.Key(id)]; p != nil {
		return p, true
	}
	_, p, ok := find(x.pending, id)
	return p, ok
}

// answered returns the request that an answer of the process with this id is for, or nil if no client waits
// for it.
func (x *router) answered(id []byte) *pending {
	if p := x.pending[string(id)]; p != nil { // as nearly always, without an allocation
		return p
	}
	key := message.Key(id)
	if p := x.pending[key]; p != nil {
		return p
	}
	if _, late := x.late.Get(key); !late {
		var ok bool
		if key, ok = message.Nearest(id, x.awaited); !ok {
			return nil
		}
	}
	if p := x.pending[key]; p != nil {
		return p
	}
	x.late.Delete(key)
	return nil
}

// awaited yields the keys of all requests that the process may answer.
func (x *router) awaited(yield func(key string) bool) {
	for key := range x.pending {
		if !yield(key) {
			return
		}
	}
	for key := range x.late.All {
		if !yield(key) {
			return
		}
	}
}
