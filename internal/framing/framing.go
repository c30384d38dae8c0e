// Package framing separates messages on a pair of pipes: bytes ⇄ messages.
//
// MCP's stdio transport puts one message on each line (every revision, "stdio"). Servers written for the
// framing of the Language Server Protocol put a Content-Length header before each message. MCP never had
// that, but the page of the reference adapter asks for it, so both are supported. In Auto, a Stream writes
// lines until the first message of the other side has headers, and then uses headers too.
//
// A forgotten print statement in a server must not end a session or lose an answer. Whatever is not a message is
// noise: it is reported and skipped. A whole message is found wherever it is: after noise or before it, next to
// another message, over several lines. Of a message that is not whole, the id is reported if it can be read,
// because a request waits for its answer.
//
// Memory is bounded by the limit of a message, and time is linear in the bytes read.
package framing

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// A Mode is a way of framing.
type Mode string

// The modes.
const (
	Auto    Mode = "auto"
	Lines   Mode = "newline"
	Headers Mode = "content-length"
)

const (
	headBytes = 256 // how much of a line of noise is reported
	runaway   = 4   // times the limit: who sends that much in one frame will never stop
)

// ErrRunaway is returned when a frame has gone so far over the limit that reading on is pointless.
var ErrRunaway = errors.New("endless message")

// A BrokenError is an answer that is no JSON, or was cut off, but shows whose it is.
type BrokenError struct {
	ID   []byte // as written: a JSON string or number
	Head []byte // the beginning of the answer, at most 256 bytes
	Err  error  // what is wrong with it
}

func (e *BrokenError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *BrokenError) Unwrap() error { return e.Err }

// A PieceReader reads into a piece that it takes only when there is something to read, so that who
// waits for a silent peer holds no memory. The caller owns the piece.
type PieceReader interface {
	ReadPiece() (p *bufpool.Piece, n int, err error)
}

// ReadPiece reads from r, which need not be a PieceReader, into a piece that is the caller's then; nil for none.
func ReadPiece(r io.Reader) (p *bufpool.Piece, n int, err error) {
	if pr, ok := r.(PieceReader); ok {
		return pr.ReadPiece()
	}
	p = bufpool.Get()
	n, err = r.Read(p[:])
	return p, n, err
}

// A TimedReader is a PieceReader that can give up. ok is false if there was nothing to read for the time d; what comes
// later is not lost.
type TimedReader interface {
	ReadPieceWithin(d time.Duration) (p *bufpool.Piece, n int, err error, ok bool)
}

// A Stream carries messages over a reader and a writer. One goroutine may Read while another
// Writes.
type Stream struct {
	r     io.Reader
	w     io.Writer
	mode  Mode
	limit int64
	share *message.Share
	noise func(head []byte, size int64)

	back   []byte         // to be read again, before anything else
	in     *bufpool.Piece // read and not consumed: in[lo:hi]; nil if absent
	lo, hi int
	err    error      // of the reader, once what it gave is consumed
	late   chan input // what a read that is going on will give; nil if absent

	spoken Mode    // how the first message came, in Auto; empty before it has
	open   frame   // what may be a message over several lines; without m if absent
	held   *frame  // a line that is to be looked at before the next is read
	lines  salvage // what is looked through for messages before that

	headers atomic.Bool // write with headers
	said    said
}

// New returns a Stream. A message of more than limit bytes, or of more than share has room for, is
// not stored. noise is called, from Read, with the beginning of whatever is not a message, a line at a
// time, and its whole size in bytes; it must not keep head.
func New(r io.Reader, w io.Writer, mode Mode, limit int64, share *message.Share, noise func(head []byte, size int64)) *Stream {
	s := &Stream{r: r, w: w, mode: mode, limit: limit, share: share, noise: noise}
	s.headers.Store(mode == Headers)
	return s
}

// spoke notes how a message came. In Auto the first one decides.
func (s *Stream) spoke(how Mode) {
	if s.mode == Auto && s.spoken == "" {
		s.spoken = how
		s.headers.Store(how == Headers)
	}
}

// mayHaveHeaders reports whether a header can be more than something that was printed.
func (s *Stream) mayHaveHeaders() bool {
	return s.mode == Headers || s.mode == Auto && s.spoken != Lines
}

// fill makes sure that there is input.
func (s *Stream) fill() error {
	for s.in == nil || s.lo == s.hi {
		if s.in != nil {
			bufpool.Put(s.in)
			s.in = nil
		}
		s.lo, s.hi = 0, 0
		if len(s.back) > 0 {
			s.in = bufpool.Get()
			s.hi = copy(s.in[:], s.back)
			s.back = s.back[s.hi:]
			continue
		}
		s.back = nil
		if s.err != nil {
			return s.err
		}
		if s.late != nil {
			s.take(<-s.late)
			continue
		}
		s.take(s.read())
	}
	return nil
}

// input is what was read.
type input struct {
	piece *bufpool.Piece // nil for none
	n     int
	err   error
}

func (s *Stream) read() (in input) {
	in.piece, in.n, in.err = ReadPiece(s.r)
	return in
}

func (s *Stream) take(in input) { s.in, s.hi, s.err, s.late = in.piece, in.n, in.err, nil }

// fillFor is fill in the middle of f. A large message whose sender makes no progress is not stored any more once
// others want its memory.
func (s *Stream) fillFor(f *frame) error {
	for s.in == nil || s.lo == s.hi {
		left, limited := f.progress.Left(f.m)
		if !limited {
			return s.fill()
		}
		if s.fillWithin(max(left, 0)) && left > 0 {
			return s.fill()
		}
		head := f.m.Head(headBytes)
		if f.progress.Yield(f.m) {
			f.head = head
		}
	}
	return nil
}

// fillWithin is fill that gives up after a time, and reports whether there is input, or will be none.
// What comes later is not lost: the next fill waits for it.
func (s *Stream) fillWithin(d time.Duration) bool {
	if s.in != nil && s.lo < s.hi || len(s.back) > 0 || s.err != nil {
		return true
	}
	if s.late == nil {
		if timed, ok := s.r.(TimedReader); ok {
			var in input
			if in.piece, in.n, in.err, ok = timed.ReadPieceWithin(d); ok {
				s.instead(in)
			}
			return ok
		}
		late := make(chan input, 1)
		s.late = late
		go func() { late <- s.read() }() // it ends with the reader at the latest
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case in := <-s.late:
		s.instead(in)
		return true
	case <-timer.C:
		return false
	}
}

// instead takes input in the place of what is consumed.
func (s *Stream) instead(in input) {
	if s.in != nil {
		bufpool.Put(s.in)
	}
	s.lo = 0
	s.take(in)
}

// unread puts text before what comes next.
func (s *Stream) unread(text []byte) {
	if n := s.lo - len(text); s.in != nil && n >= 0 && bytes.Equal(s.in[n:s.lo], text) {
		s.lo = n
		return
	}
	if s.in != nil {
		text = append(text, s.in[s.lo:s.hi]...)
		bufpool.Put(s.in)
		s.in = nil
	}
	s.back = append(text, s.back...)
}

// Write writes messages, in order and whole: small ones in a single Write, so that no reader ever sees a part
// of one. The caller keeps them.
func (s *Stream) Write(messages ...*message.Message) error {
	for len(messages) > 0 {
		n, err := s.writeFirst(messages)
		if err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// writeFirst writes the first message, and those after it that fit into a piece with it. It returns how many.
func (s *Stream) writeFirst(messages []*message.Message) (n int, err error) {
	headers := s.headers.Load()
	if len(messages) == 1 && !headers {
		return 1, s.writeLine(messages[0])
	}
	p := bufpool.Get()
	defer bufpool.Put(p)
	out := p[:0]
	for _, m := range messages {
		small := m.Small(0)
		if small == nil || len(out)+len(small)+frameBytes > len(p) {
			break
		}
		s.said.note(m)
		if headers {
			out = appendHeader(out, m)
		}
		if out = append(out, small...); !headers {
			out = append(out, '\n')
		}
		n++
	}
	if n > 0 {
		_, err = s.w.Write(out)
		return n, err
	}
	if !headers {
		return 1, s.writeLine(messages[0])
	}
	s.said.note(messages[0])
	if _, err := s.w.Write(appendHeader(out, messages[0])); err != nil {
		return 1, err
	}
	_, err = messages[0].WriteTo(s.w)
	return 1, err
}

func (s *Stream) writeLine(m *message.Message) error {
	s.said.note(m)
	if small := m.Small(1); small != nil {
		_, err := s.w.Write(append(small, '\n'))
		return err
	}
	if _, err := m.WriteTo(s.w); err != nil {
		return err
	}
	_, err := s.w.Write([]byte{'\n'})
	return err
}

// frameBytes is the most that a message gets in addition to its own bytes.
const frameBytes = len("Content-Length: 9223372036854775807\r\n\r\n")

func appendHeader(out []byte, m *message.Message) []byte {
	out = append(out, "Content-Length: "...)
	out = strconv.AppendInt(out, int64(m.Len()), 10)
	return append(out, "\r\n\r\n"...)
}
