package message

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
)

// A Message is one JSON-RPC message: its bytes, in pooled memory, and its envelope.
//
// It is filled by one goroutine (Append, then End) and read-only from then on. Its holder
// frees it once; Retain lets one more hold it. The bytes and the envelope are void after the last
// Free.
type Message struct {
	scan   Scanner
	size   int
	small  []byte           // all bytes, while they are few
	pieces []*bufpool.Piece // all bytes, once they are many
	ends   []int            // how much of each piece is used
	dead   bool             // no longer stored, only scanned
	share  Share            // of a budget; zero for none
	taken  int64            // from share
	noRoom error            // why the bytes are not stored, if it is for want of memory
	refs   atomic.Int32
}

// smallSize is what a message keeps of its own. Most messages fit, and cost no piece.
const smallSize = 1 << 10

var messages = sync.Pool{New: func() any { return &Message{small: make([]byte, 0, smallSize)} }}

// New returns an empty message. Its pieces are charged to share, if there is one.
func New(share *Share) *Message {
	m := messages.Get().(*Message)
	m.refs.Store(1)
	if share != nil {
		m.share = *share
	}
	return m
}

// Parse returns a message with a copy of data, or an error if it is not JSON.
func Parse(data []byte) (*Message, error) {
	m := New(nil)
	err := m.Append(data)
	if err == nil {
		err = m.End()
	}
	if err != nil {
		m.Free()
		return nil, err
	}
	return m, nil
}

// Must is Parse of what cannot be anything but JSON: it is ours, and what it quotes was part of a message. It panics
// if that is wrong.
func Must(data []byte) *Message {
	m, err := Parse(data)
	if err != nil {
		panic("message: " + err.Error())
	}
	return m
}

// Retain lets one more holder keep m. It returns m.
func (m *Message) Retain() *Message {
	m.refs.Add(1)
	return m
}

// Free gives m's memory back when the last holder is done with it.
func (m *Message) Free() {
	switch n := m.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("message: freed twice")
	}
	m.drop()
	m.scan.Reset()
	m.dead, m.share, m.noRoom = false, Share{}, nil
	messages.Put(m)
}

// drop gives the bytes back.
func (m *Message) drop() {
	for i, p := range m.pieces {
		bufpool.Put(p)
		m.pieces[i] = nil
	}
	m.pieces, m.ends = m.pieces[:0], m.ends[:0]
	m.small = m.small[:0]
	m.size = 0
	if m.taken > 0 {
		m.share.give(m.taken)
		m.taken = 0
	}
}

// charge takes one more piece from the budget. Without room the message is discarded: its envelope
// is still worth knowing.
func (m *Message) charge() bool {
	if m.share.budget == nil || len(m.pieces) == 0 {
		return true
	}
	if err := m.share.take(bufpool.Size); err != nil {
		m.refuse(err)
		return false
	}
	m.taken += bufpool.Size
	return true
}

// refuse discards m for want of memory.
func (m *Message) refuse(why error) {
	m.noRoom = why
	m.Discard()
}

// NoRoom says why the bytes have been forgotten, if it was for want of memory: it is an ErrNoMemory.
func (m *Message) NoRoom() error { return m.noRoom }

// Append adds the next bytes, and returns the scanner's error as soon as they cannot be JSON.
func (m *Message) Append(p []byte) error {
	err := m.scan.Scan(p)
	m.store(p)
	return err
}

// AppendValue is Append, but it stops behind the object or array that the message is, once that is
// Complete. It returns how many of the bytes it took: all of them where they cannot be JSON. With a
// piece, they are its first len(p) bytes, and the piece is given away if all are taken.
func (m *Message) AppendValue(p []byte, piece *bufpool.Piece) (n int, err error) {
	if n, err = m.scan.ScanValue(p); err != nil {
		n = len(p)
	}
	if piece != nil && n == len(p) {
		m.adopt(piece, n)
	} else {
		m.store(p[:n])
	}
	return n, err
}

// AppendPiece is Append for the first n bytes of a piece, which it takes over: no byte is copied.
func (m *Message) AppendPiece(p *bufpool.Piece, n int) error {
	err := m.scan.Scan(p[:n])
	m.adopt(p, n)
	return err
}

// adopt stores the first n bytes of a piece by keeping it.
func (m *Message) adopt(p *bufpool.Piece, n int) {
	if m.dead {
		bufpool.Put(p)
		return
	}
	m.spill()
	if !m.charge() {
		bufpool.Put(p)
		return
	}
	m.pieces, m.ends = append(m.pieces, p), append(m.ends, n)
	m.size += n
}

// Discard forgets the bytes, and all that will come, and goes on scanning: of a message over the
// limit, its envelope is still worth knowing.
func (m *Message) Discard() {
	m.drop()
	m.dead = true
}

// Settle says that the bytes so far are one JSON value, and makes the envelope final. The bytes stay
// what they are; End is still to be called.
func (m *Message) Settle() error { return m.scan.End() }

// End says that all bytes are there. Only then is the envelope final.
func (m *Message) End() error {
	if err := m.scan.End(); err != nil {
		return err
	}
	if m.scan.Newlines() {
		m.flatten()
	}
	return nil
}

func (m *Message) store(p []byte) {
	if m.dead {
		return
	}
	m.size += len(p)
	if len(m.pieces) == 0 && len(m.small)+len(p) <= smallSize {
		m.small = append(m.small, p...)
		return
	}
	m.spill()
	for len(p) > 0 {
		last := len(m.pieces) - 1
		if last < 0 || m.ends[last] == bufpool.Size {
			if !m.charge() {
				return
			}
			m.pieces, m.ends = append(m.pieces, bufpool.Get()), append(m.ends, 0)
			last++
		}
		n := copy(m.pieces[last][m.ends[last]:], p)
		m.ends[last] += n
		p = p[n:]
	}
}

// spill moves the small bytes into a piece.
func (m *Message) spill() {
	if len(m.small) == 0 {
		return
	}
	p := bufpool.Get()
	m.pieces, m.ends = append(m.pieces, p), append(m.ends, copy(p[:], m.small))
	m.small = m.small[:0]
}

// flatten turns the line breaks between tokens into blanks, which mean the same: on a line a
// message is one line (MCP transports, stdio), and so it is in an SSE event.
func (m *Message) flatten() {
	m.Each(func(part []byte) error {
		for i, c := range part {
			if c == '\n' || c == '\r' {
				part[i] = ' '
			}
		}
		return nil
	})
}

// Envelope returns what the scan found.
func (m *Message) Envelope() *Envelope { return m.scan.Envelope() }

// Kind returns what the message is.
func (m *Message) Kind() Kind { return m.scan.env.kind }

// IsContainer reports whether m is a JSON object or array, which a message always is.
func (m *Message) IsContainer() bool { return m.scan.container }

// Complete reports whether the object or array that m is has ended. End is still to be called.
func (m *Message) Complete() bool { return m.scan.Complete() }

// InString reports whether the bytes so far end within a string.
func (m *Message) InString() bool { return m.scan.InString() }

// Head returns a copy of the first n bytes, or of fewer.
func (m *Message) Head(n int) []byte {
	n = min(n, m.size)
	head := make([]byte, 0, n)
	m.Each(func(part []byte) error {
		head = append(head, part[:min(len(part), n-len(head))]...)
		return nil
	})
	return head
}

// Discarded reports whether the bytes have been forgotten: by Discard, or for want of memory.
func (m *Message) Discarded() bool { return m.dead }

// Len is the number of bytes held.
func (m *Message) Len() int { return m.size }

// Each calls f with the bytes, part by part and in order, until f returns an error.
func (m *Message) Each(f func(part []byte) error) error {
	if len(m.small) > 0 {
		return f(m.small)
	}
	for i, p := range m.pieces {
		if err := f(p[:m.ends[i]]); err != nil {
			return err
		}
	}
	return nil
}

// WriteTo writes the bytes to w, a Write a part.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	var n int64
	err := m.Each(func(part []byte) error {
		k, err := w.Write(part)
		n += int64(k)
		return err
	})
	return n, err
}

// Reader returns a reader of the bytes, which is void after the last Free.
func (m *Message) Reader() io.Reader {
	var parts []io.Reader
	m.Each(func(part []byte) error {
		parts = append(parts, bytes.NewReader(part))
		return nil
	})
	return io.MultiReader(parts...)
}

// Small returns the bytes if they lie in one part that has room for extra more, else nil. The
// caller may append to it and must not keep it.
func (m *Message) Small(extra int) []byte {
	switch {
	case len(m.pieces) == 0 && len(m.small) > 0:
		return m.small
	case len(m.pieces) == 1 && m.ends[0]+extra <= bufpool.Size:
		return m.pieces[0][:m.ends[0]]
	}
	return nil
}

// Bytes returns a copy of the bytes in one slice.
func (m *Message) Bytes() []byte {
	all := make([]byte, 0, m.size)
	m.Each(func(part []byte) error {
		all = append(all, part...)
		return nil
	})
	return all
}

// Fill reads m by read, the Read of an io.Reader, until EOF. Over limit bytes it stops with a *TooLargeError, and
// without memory with an ErrNoMemory. What is not UTF-8 is an error, ErrEncoding. It does not take the io.Reader
// itself, which would have to be allocated.
func (m *Message) Fill(read func(p []byte) (int, error), limit int64) error {
	var text encoding
	for {
		p := bufpool.Get()
		n, err := readFull(read, p[:])
		if int64(m.size+n) > limit {
			bufpool.Put(p)
			return &TooLargeError{Limit: limit}
		}
		if !text.add(p[:n]) {
			bufpool.Put(p)
			return ErrEncoding
		}
		var bad error
		if n > smallSize {
			bad = m.AppendPiece(p, n)
		} else {
			bad = m.Append(p[:n])
			bufpool.Put(p)
		}
		if bad != nil {
			return bad
		}
		if m.dead {
			return m.noRoom
		}
		switch err {
		case nil:
		case io.EOF:
			return m.End() // a character that is cut off is in a string that is
		default:
			return err
		}
	}
}

// readFull reads until p is full or read fails.
func readFull(read func([]byte) (int, error), p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = read(p[n:])
		n += k
	}
	return n, err
}

// A TooLargeError is a message over the limit.
type TooLargeError struct {
	Limit int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message is larger than %d bytes", e.Limit)
}
