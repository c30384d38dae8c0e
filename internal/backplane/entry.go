package backplane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// Instances do not trust Redis. An entry in a mailbox is sealed with the app's key, and bound to its sender, its
// recipient, and a number that only rises. A reader therefore accepts only entries that another instance of the app wrote
// for it, and none twice. The recipient's name is random and lives as long as its process, so that the highest number per
// sender is all that a reader must remember.

// A kind is the kind of an entry. The instance that answers sends those in capital letters.
type kind byte

const (
	kindRequest  kind = 'q' // the head of a call, and the beginning of its body
	kindBody     kind = 'b' // more of the call's body
	kindCancel   kind = 'x' // the caller has gone
	kindCredit   kind = 'c' // room for more bytes of the answer
	kindHead     kind = 'H' // the head of an answer, and the beginning of its body
	kindData     kind = 'D' // more of the answer's body
	kindRefusal  kind = 'N' // nothing was done; with end: the answer ends here, incomplete
	kindReceived kind = 'K' // room for more bytes of the call's body
)

// An entry is one message between instances.
type entry struct {
	kind kind
	call uint64 // a number that the instance that made the call chose
	part int    // of a body, from 0, so that a missing part is noticed
	end  bool   // the last part of a body
	head []byte // of kindRequest and kindHead
	data []byte // of a body
	more int    // bytes, of kindCredit and kindReceived
}

var errEntry = errors.New("malformed entry")

// maxEntry is the maximum size of an entry in bytes: a piece of a body, and a head, which HTTP servers bound.
const maxEntry = pieceSize + 128<<10

func (e *entry) plain() []byte {
	b := make([]byte, 0, len(e.head)+len(e.data)+32)
	end := byte(0)
	if e.end {
		end = 1
	}
	b = append(b, byte(e.kind), end)
	b = binary.AppendUvarint(b, e.call)
	b = binary.AppendUvarint(b, uint64(e.part))
	b = binary.AppendUvarint(b, uint64(e.more))
	b = binary.AppendUvarint(b, uint64(len(e.head)))
	b = append(b, e.head...)
	return append(b, e.data...)
}

func parseEntry(b []byte) (*entry, error) {
	if len(b) < 2 {
		return nil, errEntry
	}
	e := &entry{kind: kind(b[0]), end: b[1] == 1}
	b = b[2:]
	var numbers [4]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b)
		if n <= 0 || i > 0 && v > maxEntry<<10 {
			return nil, errEntry
		}
		numbers[i], b = v, b[n:]
	}
	e.call, e.part, e.more = numbers[0], int(numbers[1]), int(numbers[2])
	if numbers[3] > uint64(len(b)) {
		return nil, errEntry
	}
	e.head, e.data = b[:numbers[3]], b[numbers[3]:]
	return e, nil
}

// A sealer numbers entries and seals them. Only one goroutine at a time may use it.
type sealer struct {
	keys   *ticket.Keys
	from   string
	number uint64
	seal   *ticket.Sealer
}

// sealerLife is how many entries are sealed with one derived key.
const sealerLife = 1 << 20

// next returns the field and the value in Redis of the next entry to an instance.
func (s *sealer) next(to string, e *entry) (field string, value []byte) {
	if s.number%sealerLife == 0 {
		s.seal = s.keys.Sealer()
	}
	s.number++
	return s.from + "-" + strconv.FormatUint(s.number, 36), s.seal.Seal(s.number, e.plain(), aboutEntry(s.from, to))
}

func aboutEntry(from, to string) []byte { return []byte("mcpfunc mailbox\x00" + from + "\x00" + to) }

// An opener opens entries to one instance. Only one goroutine at a time may use it.
type opener struct {
	keys *ticket.Keys
	to   string
	last map[string]uint64 // the highest number by sender: one per instance that has sealed an entry to this one
}

var (
	errForged   = errors.New("the entry was not sealed for this instance with a key of this app")
	errReplayed = errors.New("the entry was repeated")
)

// open returns an entry and its sender. It fails with errForged, errReplayed, or an error that wraps errEntry.
func (o *opener) open(field string, value []byte) (from string, e *entry, err error) {
	from, text, _ := strings.Cut(field, "-")
	number, err := strconv.ParseUint(text, 36, 64)
	if err != nil || from == "" || len(value) > maxEntry+ticket.Overhead {
		return "", nil, errForged
	}
	if number <= o.last[from] {
		return from, nil, errReplayed
	}
	plain, err := o.keys.OpenRecord(number, value, aboutEntry(from, o.to))
	if err != nil {
		return "", nil, errForged
	}
	o.last[from] = number
	if e, err = parseEntry(plain); err != nil {
		return from, nil, fmt.Errorf("from %s: %w", from, err)
	}
	return from, e, nil
}
