package framing

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// said remembers the last messages that were written, except for requests: a server that logs to its
// stdout what it hears must not answer a call by an answer of the client, whose id may be the same.
type said struct {
	mu   sync.Mutex
	seed maphash.Seed
	last []uint64 // digests
	next int
}

const saidSize = 64

func (s *said) note(m *message.Message) {
	if m.Kind() == message.Request && m.Envelope().Method() != "ping" {
		return // FromClient tells it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.seed = maphash.MakeSeed()
	}
	var hash maphash.Hash
	hash.SetSeed(s.seed)
	m.Each(func(part []byte) error {
		hash.Write(part)
		return nil
	})
	if len(s.last) < saidSize {
		s.last = append(s.last, hash.Sum64())
		return
	}
	s.last[s.next] = hash.Sum64()
	s.next = (s.next + 1) % saidSize
}

// has reports whether text was written not long ago.
func (s *said) has(text []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last != nil && slices.Contains(s.last, maphash.Bytes(s.seed, text))
}
