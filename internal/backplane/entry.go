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
//
// Redis loses entries when it fails over to a replica that has not received them, and when somebody deletes them. A
// second number, of the entries of this sender to this recipient, has no gaps: a recipient that finds one ends the calls
// between the two, there too. A ping finds out whether the last entry was lost.

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

	kindPing   kind = 'p' // to be answered with kindPong
	kindPong   kind = 'P'
	kindMissed kind = 'M' // entries of the recipient are missing
)

// An entry is one message between instances.
type entry struct {
	kind kind
	call uint64 // a number that the instance that made the call chose
	seq  uint64 // of the entries of this sender to this recipient; 1 after the sender has given up all calls
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
	b = binary.AppendUvarint(b, e.seq)
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
	var numbers [5]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b)
		if n <= 0 || i > 1 && v > maxEntry<<10 {
			return nil, errEntry
		}
		numbers[i], b = v, b[n:]
	}
	e.call, e.seq, e.part, e.more = numbers[0], numbers[1], int(numbers[2]), int(numbers[3])
	if numbers[4] > uint64(len(b)) {
		return nil, errEntry
	}
	e.head, e.data = b[:numbers[4]], b[numbers[4]:]
	return e, nil
}

// A sealer numbers entries and seals them. Only one goroutine at a time may use it.
type sealer struct {
	keys   *ticket.Keys
	from   string
	number uint64
	seal   *ticket.Sealer
	sent   map[string]uint64 // entries by recipient
}

// sealerLife is how many entries are sealed with one derived key.
const sealerLife = 1 << 20

// next returns the field and the value in Redis of the next entry to an instance.
func (s *sealer) next(to string, e *entry) (field string, value []byte) {
	if s.number%sealerLife == 0 {
		s.seal = s.keys.Sealer()
	}
	s.number++
	s.sent[to]++
	e.seq = s.sent[to]
	return s.from + "-" + strconv.FormatUint(s.number, 36), s.seal.Seal(s.number, e.plain(), aboutEntry(s.from, to))
}

func aboutEntry(from, to string) []byte { return []byte("mcpfunc mailbox\x00" + from + "\x00" + to) }

// An opener opens entries to one instance. Only one goroutine at a time may use it.
type opener struct {
	keys *ticket.Keys
	to   string
	last map[string]uint64 // the highest number by sender: one per instance that has sealed an entry to this one
	seen map[string]uint64 // the last seq, likewise
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

// missed reports whether entries before e, which was opened, are missing.
func (o *opener) missed(from string, e *entry) bool {
	expected := e.seq == 1 || e.seq == o.seen[from]+1
	o.seen[from] = e.seq
	return !expected
}
