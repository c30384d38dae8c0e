package backplane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// What instances write into each other's mailboxes. Redis, and anyone who can write there, is trusted with
// nothing: an entry is sealed with the app's keys about who wrote it to whom, and under a number that only
// rises. So a reader takes no entry that another instance of the app has not written for it, and none twice.

// A kind says what an entry is. Those in capital letters are of the instance that answers.
type kind byte

const (
	kindRequest  kind = 'q' // a call: its head, and the beginning of its body
	kindBody     kind = 'b' // more of its body
	kindCancel   kind = 'x' // no request waits for its answer any more
	kindCredit   kind = 'c' // the receiver accepts n more bytes of the answer
	kindHead     kind = 'H' // an answer: its head, and the beginning of its body
	kindData     kind = 'D' // more of its body
	kindRefusal  kind = 'N' // there is no such session here, and nothing was done
	kindReceived kind = 'K' // the receiver accepts n more bytes of the call's body
)

// An entry is one message between instances.
type entry struct {
	kind kind
	call uint64 // a number of the instance that made the call
	part int    // counts what is sent of a body, the head's being 0, so that none can be missing unnoticed
	end  bool   // nothing of this body follows
	head []byte // of kindRequest and kindHead
	data []byte // of a body
	more int    // of kindCredit and kindReceived: bytes
}

var errEntry = errors.New("malformed entry")

// maxEntry bounds what is read of an entry: a piece of a body and a head, which HTTP servers bound.
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

// A sealer numbers entries and seals them. It is used by one goroutine at a time.
type sealer struct {
	keys   *ticket.Keys
	from   string
	number uint64
	seal   *ticket.Sealer
}

// sealerLife is how many entries are sealed under one derived key.
const sealerLife = 1 << 20

// next returns the field and the value of the entry that goes to an instance.
func (s *sealer) next(to string, e *entry) (field string, value []byte) {
	if s.number%sealerLife == 0 {
		s.seal = s.keys.Sealer()
	}
	s.number++
	return s.from + "-" + strconv.FormatUint(s.number, 36), s.seal.Seal(s.number, e.plain(), aboutEntry(s.from, to))
}

func aboutEntry(from, to string) []byte { return []byte("mcpfunc mailbox\x00" + from + "\x00" + to) }

// An opener opens what others have sealed for one instance. It is used by one goroutine at a time.
type opener struct {
	keys *ticket.Keys
	to   string
	last map[string]uint64 // the highest number taken, by who wrote it: one an instance that ever wrote here
}

var (
	errForged   = errors.New("an entry was not sealed for this instance by a key that is known here")
	errReplayed = errors.New("an entry is repeated")
)

// open returns an entry and who wrote it. It fails if that is not ours, or not new.
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
