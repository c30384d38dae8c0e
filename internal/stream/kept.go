package stream

import (
	"encoding/binary"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/eventlog"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// kept is what a stream has whose events outlive their sending. Of small events, it has the bytes alone: a Message has
// room for more, and a stream of progress notifications is many of them. It is guarded by the Set's mu.
type kept struct {
	first, last *chunk
	at          int // where in first the oldest event begins
	count       int
	place       place            // of the event that is about to be taken
	suffix      string           // of event ids; empty until there is one
	shared      *eventlog.Stream // where other instances read it; nil for nowhere
}

// A chunk is a part of what is kept: events one behind the other, each after its length, or one large event.
type chunk struct {
	next   *chunk
	events []byte
	large  *message.Message
}

const (
	chunkSize  = 1 << 10
	lengthSize = 2 // bytes of the length before an event
)

var chunks = sync.Pool{New: func() any { return &chunk{events: make([]byte, 0, chunkSize)} }}

// add appends m, of which it holds what it needs.
func (k *kept) add(m *message.Message) {
	k.count++
	size := lengthSize + m.Len()
	if size > chunkSize {
		k.append(&chunk{large: m.Retain()})
		return
	}
	if k.last == nil || k.last.large != nil || len(k.last.events)+size > chunkSize {
		k.append(chunks.Get().(*chunk))
	}
	c := k.last
	c.events = binary.LittleEndian.AppendUint16(c.events, uint16(m.Len()))
	m.Each(func(part []byte) error {
		c.events = append(c.events, part...)
		return nil
	})
}

func (k *kept) append(c *chunk) {
	if k.last == nil {
		k.first = c
	} else {
		k.last.next = c
	}
	k.last = c
}

// drop forgets the oldest event.
func (k *kept) drop() {
	k.count--
	c := k.first
	if c.large == nil {
		if k.at += lengthSize + len(c.small(k.at)); k.at < len(c.events) {
			return
		}
	}
	if k.first, k.at = c.next, 0; k.first == nil {
		k.last = nil
	}
	if c.large != nil {
		c.large.Free()
		return
	}
	c.free()
}

// free gives back a chunk without a large event.
func (c *chunk) free() {
	c.next, c.events = nil, c.events[:0]
	chunks.Put(c)
}

// small is the event that begins at a place of the chunk, which has no large one.
func (c *chunk) small(at int) []byte {
	size := int(binary.LittleEndian.Uint16(c.events[at:]))
	return c.events[at+lengthSize:][:size]
}

// A place is where the event with a number lies in what is kept. It is good while the one before that is kept.
type place struct {
	number int
	chunk  *chunk
	at     int
}

// event returns the event with this number, where the oldest has the number first: its bytes, or the Message that a
// large one is. Both are good until the event is dropped.
func (k *kept) event(number, first int) (small []byte, large *message.Message) {
	p := &k.place
	if p.number != number || number == first {
		*p = place{number: first, chunk: k.first, at: k.at}
	}
	for p.number < number {
		p.next()
	}
	return p.next()
}

// next returns the event at p, and moves p to the one after it.
func (p *place) next() (small []byte, large *message.Message) {
	if p.chunk.large != nil && p.at > 0 || p.chunk.large == nil && p.at == len(p.chunk.events) {
		p.chunk, p.at = p.chunk.next, 0
	}
	p.number++
	if large = p.chunk.large; large != nil {
		p.at = 1
		return nil, large
	}
	small = p.chunk.small(p.at)
	p.at += lengthSize + len(small)
	return small, nil
}
