package framing

import (
	"bytes"
	"errors"
	"io"

	"github.com/mcpfunc/mcpfunc/internal/bufpool"
	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Read returns the next message, which is a JSON object or a batch of them. The caller frees it.
//
// With a *message.TooLargeError, or a message.ErrNoMemory, comes a message without its bytes but with its envelope,
// and reading goes on; so it does after a *BrokenError, with which no message comes. Every other error
// is final: io.EOF at the end, ErrRunaway, or the reader's own.
func (s *Stream) Read() (*message.Message, error) {
	for {
		if s.lines.text != nil {
			if m, err := s.salvage(); m != nil || err != nil {
				return m, err
			}
			continue
		}
		f, err := s.next()
		if err != nil {
			return nil, err
		}
		if f.m == nil {
			continue
		}
		if s.open.m != nil {
			m, err := s.join(&f)
			if m != nil || err != nil {
				return m, err
			}
			continue
		}
		if f.bad != nil && f.marked() {
			if f, err = s.unmarked(&f); err != nil {
				return nil, err
			}
		}
		switch {
		case f.done:
			s.spoke(Lines)
			return f.m, s.whole(f.m)
		case f.size == 0:
			f.m.Free()
		case f.bad != nil && s.mayHaveHeaders() && !f.m.Discarded() && isHeader(f.m.Head(headerBytes)):
			if m, err := s.framed(&f); m != nil || err != nil {
				return m, err
			}
		case f.unfinished() && !f.m.InString() && promising(f.m.Head(headBytes)):
			s.open = f
		default:
			if err := s.look(&f); err != nil {
				return nil, err
			}
		}
	}
}

// whole ends a message, and returns an error if its bytes were not stored.
func (s *Stream) whole(m *message.Message) error {
	m.End() // it is complete
	return s.notStored(m)
}

// notStored says why the bytes of m are not stored, if they are not.
func (s *Stream) notStored(m *message.Message) error {
	switch {
	case !m.Discarded():
		return nil
	case m.NoRoom() != nil:
		return m.NoRoom()
	}
	return &message.TooLargeError{Limit: s.limit}
}

// next returns the next line, or its beginning if that is a message. It returns none and no error
// when there is something to salvage first.
func (s *Stream) next() (f frame, err error) {
	if s.held != nil {
		f, s.held = *s.held, nil
		return f, nil
	}
	if s.open.m != nil && !s.fillWithin(lineTime) {
		if err := s.giveUp(); err != nil {
			return frame{}, err
		}
	}
	if err := s.fill(); err != nil { // before there is a message: who waits for one holds none
		if s.open.m == nil {
			return frame{}, err
		}
		f, s.open = s.open, frame{}
		f.cut = true
		return frame{}, s.look(&f)
	}
	f = frame{m: message.New(s.share)}
	// Within what may be a message over several lines, a line counts only as a whole.
	err = s.line(&f, s.open.m == nil)
	if f.cut = err == io.EOF; err != nil && !f.cut {
		f.m.Free()
		if s.open.m != nil {
			s.open.m.Free()
		}
		return frame{}, err
	}
	return f, nil
}

// A frame is a message in the making.
type frame struct {
	m      *message.Message
	size   int64
	done   bool   // m is a message, and whole
	bad    error  // why it is not
	head   []byte // the first bytes, once they are not stored
	behind bool   // it follows text: most likely it is in a log
	cut    bool   // the input ends within it: what that means, the end of the peer says better
	cr     bool   // a CR has been consumed that may be of the line's end

	progress message.Progress // of who writes it
}

// errOther says that JSON is not a message.
var errOther = errors.New("JSON, but not a JSON-RPC message")

// add gives the frame bytes, and returns how many it took: not those behind a message. With a piece,
// they are its first len(p) bytes, and the piece is given away if all are taken.
func (s *Stream) add(f *frame, p []byte, piece *bufpool.Piece) (n int, err error) {
	switch {
	case f.bad == nil && !f.done:
		n, f.bad = f.m.AppendValue(p, piece)
	case piece != nil:
		n, err = len(p), f.m.AppendPiece(piece, len(p))
	default:
		n, err = len(p), f.m.Append(p)
	}
	if f.size += int64(n); f.size > runaway*s.limit+headerBytes {
		return n, ErrRunaway
	}
	if f.size > s.limit && !f.m.Discarded() {
		f.head = f.m.Head(headBytes)
		f.m.Discard()
	} else if f.m.Discarded() && piece == nil {
		f.head = append(f.head, p[:min(n, headBytes-len(f.head))]...)
	}
	switch {
	case f.done && err != nil: // there is something behind it
		f.done, f.bad = false, err
	case f.bad == nil && !f.done && f.m.Complete():
		if f.done = ours(f.m); !f.done {
			f.bad = errOther
		}
	}
	return n, nil
}

// ours reports whether a complete value is a message.
func ours(m *message.Message) bool {
	if m.Settle() != nil {
		return false // not reached
	}
	switch m.Kind() {
	case message.Invalid:
		return m.Envelope().IsError() // the peer could not read something, and says so
	case message.Batch:
		head := bytes.TrimLeft(m.Head(headBytes), "[ \t\r\n")
		return m.Discarded() || len(head) > 0 && head[0] == '{'
	}
	return true
}

// unfinished reports whether the frame is the beginning of an object or array.
func (f *frame) unfinished() bool {
	return f.bad == nil && !f.done && f.m.IsContainer() && !f.m.Discarded()
}

// line reads to the end of the line, which it consumes, or to the end of input; if early, only to
// the end of the message that the line begins with.
func (s *Stream) line(f *frame, early bool) error {
	for {
		if err := s.fillFor(f); err != nil {
			return err
		}
		rest := s.in[s.lo:s.hi]
		if f.cr && rest[0] != '\n' {
			if _, err := s.add(f, []byte{'\r'}, nil); err != nil {
				return err
			}
		}
		f.cr = false
		n, last := len(rest), false
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			n, last = i, true
		}
		cr := n > 0 && rest[n-1] == '\r'
		if cr {
			n--
		}
		for n > 0 {
			k, err := s.give(f, n)
			if err != nil || f.done && early {
				s.skipLineEnd()
				return err
			}
			n -= k
		}
		if cr {
			s.lo++
		}
		if last {
			s.lo++
			return nil
		}
		f.cr = cr
	}
}

// skipLineEnd consumes the line's end behind a message if it is there, which spares looking at an
// empty line.
func (s *Stream) skipLineEnd() {
	if s.in == nil {
		return
	}
	if rest := s.in[s.lo:s.hi]; len(rest) > 0 && rest[0] == '\n' {
		s.lo++
	} else if len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n' {
		s.lo += 2
	}
}

// give moves up to n bytes of input into the frame, without a copy where the piece is full of them.
func (s *Stream) give(f *frame, n int) (int, error) {
	if s.lo == 0 && n == s.hi && n > bufpool.Size/2 {
		piece := s.in
		k, err := s.add(f, piece[:n], piece)
		if k == n {
			s.in, s.hi = nil, 0
		} else {
			s.lo += k
		}
		return k, err
	}
	k, err := s.add(f, s.in[s.lo:s.lo+n], nil)
	s.lo += k
	return k, err
}

// byteOrderMark is what some runtimes write first of all.
const byteOrderMark = "\ufeff"

func (f *frame) marked() bool {
	return !f.m.Discarded() && string(f.m.Head(len(byteOrderMark))) == byteOrderMark
}

// unmarked returns the frame without its byte order mark.
func (s *Stream) unmarked(f *frame) (clean frame, err error) {
	text := f.m.Bytes()[len(byteOrderMark):]
	f.m.Free()
	clean = frame{m: message.New(s.share)}
	n, err := s.add(&clean, text, nil)
	if n < len(text) { // behind a message
		s.unread(append(text[n:], '\n'))
	}
	return clean, err
}

// report tells of a frame that is not a message.
func (s *Stream) report(head []byte, size int64) {
	head = bytes.TrimSpace(bytes.TrimPrefix(head[:min(len(head), headBytes)], []byte(byteOrderMark)))
	if len(head) > 0 {
		s.noise(head, size)
	}
}
