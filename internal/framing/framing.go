// Package framing tells messages apart on a pair of pipes: bytes ⇄ messages.
//
// MCP's stdio transport puts one message on a line (every revision, "stdio"). Servers written for
// the Language Server Protocol's framing put a Content-Length header before each; MCP never had
// it, the reference adapter's page asks for it, so both are spoken here. In Auto a Stream writes
// lines and follows what the other side writes.
//
// What is not a message is noise: it is reported and skipped, because a print statement that was
// left in a server must not end a session.
package framing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

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
	headBytes   = 256     // how much of a line of noise is reported
	headerBytes = 4 << 10 // the headers of one message
	runaway     = 4       // times the limit: who sends that much in one frame will never stop
)

// ErrRunaway is returned when a frame has gone so far over the limit that reading on is pointless.
var ErrRunaway = errors.New("a message without end")

// A PieceReader reads into a piece that it takes only when there is something to read, so that who
// waits for a silent peer holds no memory. The caller owns the piece.
type PieceReader interface {
	ReadPiece() (p *bufpool.Piece, n int, err error)
}

// A Stream carries messages over a reader and a writer. One goroutine may Read while another
// Writes.
type Stream struct {
	r      io.Reader
	w      io.Writer
	mode   Mode
	limit  int64
	budget *message.Budget
	noise  func(head []byte, size int64)

	in     *bufpool.Piece // read and not consumed: in[lo:hi]; nil when there is none
	lo, hi int
	err    error // of the reader, once what it gave is consumed

	headers atomic.Bool // write with headers
}

// New returns a Stream. A message of more than limit bytes, or of more than budget has room for, is
// not stored. noise is called, from
// Read, with the beginning of every line that is no message and its whole size in bytes; it must
// not keep head.
func New(r io.Reader, w io.Writer, mode Mode, limit int64, budget *message.Budget, noise func(head []byte, size int64)) *Stream {
	s := &Stream{r: r, w: w, mode: mode, limit: limit, budget: budget, noise: noise}
	s.headers.Store(mode == Headers)
	return s
}

// Read returns the next message, which is a JSON object or array. The caller frees it.
//
// With a *message.TooLargeError comes a message without its bytes but with its envelope, and
// reading goes on. Every other error is final: io.EOF at the end, ErrRunaway, or the reader's own.
func (s *Stream) Read() (*message.Message, error) {
	for {
		if err := s.fill(); err != nil { // before there is a message: who waits for one holds none
			return nil, err
		}
		m := message.New(s.budget)
		f := frame{m: m, limit: s.limit}
		end := s.line(&f)
		if end != nil && end != io.EOF {
			m.Free()
			return nil, end
		}
		length, isHeader := int64(-1), false
		if s.mode != Lines && f.bad != nil {
			length, isHeader = contentLength(f.head)
		}
		switch {
		case isHeader:
			m.Free()
			if m, end = s.body(length); m == nil && end == nil {
				continue // noise, reported
			}
			if end != nil {
				return nil, end
			}
			s.headers.Store(s.mode != Lines)
		case f.bad == nil && f.size > 0 && m.End() == nil && m.IsContainer():
			s.headers.Store(s.mode == Headers)
			return m, s.whole(m)
		default:
			s.report(&f)
			m.Free()
			if end != nil {
				return nil, end
			}
			continue
		}
		return m, s.whole(m)
	}
}

// whole returns an error for a message whose bytes were not stored.
func (s *Stream) whole(m *message.Message) error {
	if m.Discarded() {
		return &message.TooLargeError{Limit: s.limit}
	}
	return nil
}

// A frame is a message in the making.
type frame struct {
	m     *message.Message
	limit int64
	size  int64
	bad   error  // why it is not JSON
	lost  bool   // it is bad or over the limit, so that its bytes are not stored
	head  []byte // the first of them, once they are lost
	cr    bool   // a CR has been consumed that may be of the line's end
}

// add takes the next bytes of the frame. With a piece, they are its first len(p) bytes and the
// piece is given away.
func (f *frame) add(p []byte, piece *bufpool.Piece) error {
	f.size += int64(len(p))
	if f.size > runaway*f.limit+headerBytes {
		return ErrRunaway
	}
	if f.lost {
		f.head = append(f.head, p[:min(len(p), headBytes-len(f.head))]...)
	}
	switch {
	case f.bad != nil:
		if piece != nil {
			bufpool.Put(piece)
		}
	case piece != nil:
		f.bad = f.m.AppendPiece(piece, len(p))
	default:
		f.bad = f.m.Append(p)
	}
	if !f.lost && (f.bad != nil || f.size > f.limit) {
		f.lost, f.head = true, f.m.Head(headBytes)
		f.m.Discard()
	}
	return nil
}

// line reads to the end of the line, which it consumes, or to the end of input.
func (s *Stream) line(f *frame) error {
	for {
		if err := s.fill(); err != nil {
			return err
		}
		rest := s.in[s.lo:s.hi]
		if f.cr && rest[0] != '\n' {
			if err := f.add([]byte{'\r'}, nil); err != nil {
				return err
			}
		}
		f.cr = false
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			s.lo += i + 1
			return f.add(bytes.TrimSuffix(rest[:i], []byte{'\r'}), nil)
		}
		n := len(rest)
		if rest[n-1] == '\r' {
			f.cr = true
			n--
		}
		if err := s.give(f, n); err != nil {
			return err
		}
		if f.cr {
			s.lo++
		}
	}
}

// body reads the remaining headers and then length bytes. It returns no message and no error when
// they are noise.
func (s *Stream) body(length int64) (*message.Message, error) {
	for size := 0; ; {
		h := frame{m: message.New(nil), limit: headerBytes}
		err := s.line(&h)
		h.m.Free()
		if err != nil {
			return nil, err
		}
		if h.size == 0 {
			break // the blank line
		}
		if size += int(h.size); size > headerBytes {
			return nil, fmt.Errorf("headers of a message are larger than %d bytes", headerBytes)
		}
		if n, ok := contentLength(h.head); ok && n >= 0 {
			length = n
		}
	}
	if length < 0 {
		return nil, errors.New("a message has headers but no Content-Length")
	}
	f := frame{m: message.New(s.budget), limit: s.limit}
	for f.size < length {
		if err := s.fill(); err != nil {
			f.m.Free()
			return nil, err
		}
		if err := s.give(&f, int(min(length-f.size, int64(s.hi-s.lo)))); err != nil {
			f.m.Free()
			return nil, err
		}
	}
	if f.bad != nil || f.m.End() != nil || !f.m.IsContainer() {
		s.report(&f)
		f.m.Free()
		return nil, nil
	}
	return f.m, nil
}

// give moves n bytes of input into the frame, without a copy where the piece is full of them.
func (s *Stream) give(f *frame, n int) error {
	if s.lo == 0 && n == s.hi && n > bufpool.Size/2 {
		piece := s.in
		s.in, s.hi = nil, 0
		return f.add(piece[:n], piece)
	}
	err := f.add(s.in[s.lo:s.lo+n], nil)
	s.lo += n
	return err
}

// fill makes sure that there is input.
func (s *Stream) fill() error {
	for s.in == nil || s.lo == s.hi {
		if s.in != nil {
			bufpool.Put(s.in)
			s.in = nil
		}
		s.lo, s.hi = 0, 0
		if s.err != nil {
			return s.err
		}
		if pr, ok := s.r.(PieceReader); ok {
			s.in, s.hi, s.err = pr.ReadPiece()
			continue
		}
		s.in = bufpool.Get()
		s.hi, s.err = s.r.Read(s.in[:])
	}
	return nil
}

func (s *Stream) report(f *frame) {
	if f.head == nil {
		f.head = f.m.Head(headBytes)
	}
	if head := bytes.TrimSpace(f.head); len(head) > 0 {
		s.noise(head, f.size)
	}
}

// contentLength reads a header line. It reports whether the line is a header that begins a message,
// and the length if it is the one that says it, else -1.
func contentLength(line []byte) (int64, bool) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return -1, false
	}
	switch {
	case bytes.EqualFold(name, []byte("content-type")):
		return -1, true
	case bytes.EqualFold(name, []byte("content-length")):
		n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		return n, err == nil && n >= 0
	}
	return -1, false
}

// Write writes one message, whole: small ones in a single Write, so that no reader ever sees a part
// of one. The caller keeps m.
func (s *Stream) Write(m *message.Message) error {
	if s.headers.Load() {
		return s.writeWithHeader(m)
	}
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

func (s *Stream) writeWithHeader(m *message.Message) error {
	p := bufpool.Get()
	defer bufpool.Put(p)
	out := append(p[:0], "Content-Length: "...)
	out = strconv.AppendInt(out, int64(m.Len()), 10)
	out = append(out, "\r\n\r\n"...)
	if small := m.Small(0); small != nil && len(out)+len(small) <= len(p) {
		_, err := s.w.Write(append(out, small...))
		return err
	}
	if _, err := s.w.Write(out); err != nil {
		return err
	}
	_, err := m.WriteTo(s.w)
	return err
}
