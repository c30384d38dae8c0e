package session

import (
	"fmt"
	"maps"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Late answers: a request that has timed out or was cancelled is answered by us, and the process may
// answer it all the same, minutes later. Its id is taken until the process has answered or is gone, so
// that this answer is never taken for that to a later request with the same id: such a request goes to
// the process under an id of ours.

// maxLate bounds how many late answers are waited for. Beyond it the oldest is forgotten.
const maxLate = 1024

// late are the IDs, by message.Key, that the process may still answer, without a client that waits.
type late struct {
	ids   map[string]int // and the number of each
	order []lateID       // oldest first, with those that were answered since
	count int            // that were ever added
}

type lateID struct {
	key    string
	number int
}

// add says that no client waits for the answer to the request with this key any more.
func (l *late) add(key string) {
	if l.ids == nil {
		l.ids = map[string]int{}
	}
	l.count++
	l.ids[key] = l.count
	l.order = append(l.order, lateID{key, l.count})
	for len(l.order) > maxLate {
		if first := l.order[0]; l.ids[first.key] == first.number {
			delete(l.ids, first.key)
		}
		l.order = l.order[1:]
	}
}

func (l *late) has(key string) bool { return l.ids[key] > 0 }

// clear says that the process is gone, and with it its answers.
func (l *late) clear() { l.ids, l.order = nil, nil }

// rename gives p, whose id the process may still answer for an earlier request, another one there.
func (x *router) rename(p *pending, m *message.Message) {
	x.renames++
	p.client = p.key
	p.sent = fmt.Sprintf(`"mcpfunc-again-%d"`, x.renames)
	p.key = p.sent
	x.renamed[p.client] = p
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
	if !x.late.has(key) {
		var ok bool
		if key, ok = message.Nearest(id, x.awaited); !ok {
			return nil
		}
	}
	if p := x.pending[key]; p != nil {
		return p
	}
	delete(x.late.ids, key)
	return nil
}

// awaited yields the keys of all requests that the process may answer.
func (x *router) awaited(yield func(key string) bool) {
	for key := range x.pending {
		if !yield(key) {
			return
		}
	}
	maps.Keys(x.late.ids)(yield)
}
