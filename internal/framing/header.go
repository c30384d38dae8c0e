package framing

import (
	"bytes"
	"io"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Messages with headers, as of the Language Server Protocol ("Base Protocol"): header fields, a blank
// line, and as many bytes as Content-Length says.

const headerBytes = 4 << 10 // the headers of one message

// field splits a line that is a header field.
func field(line []byte) (name, value []byte, ok bool) {
	name, value, ok = bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 {
		return nil, nil, false
	}
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return nil, nil, false
		}
	}
	return name, bytes.TrimSpace(value), true
}

var (
	lengthField = []byte("content-length")
	typeField   = []byte("content-type")
)

// isHeader reports whether a line may be the first of a header. The protocol has these two fields.
func isHeader(line []byte) bool {
	name, value, ok := field(line)
	return ok && (bytes.EqualFold(name, typeField) || bytes.EqualFold(name, lengthField) && lengthOf(value) >= 0)
}

// lengthOf is the value of a Content-Length, or -1.
func lengthOf(value []byte) int64 {
	for _, c := range value {
		if c < '0' || c > '9' {
			return -1
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// headerWithin returns where in a line of noise a Content-Length begins that ends it: the noise lacked
// its line's end.
func headerWithin(line []byte) int {
	tail := max(0, len(line)-64)
	i := bytes.LastIndex(bytes.ToLower(line[tail:]), append(lengthField, ':'))
	if i < 0 || !isHeader(bytes.TrimSpace(line[tail+i:])) {
		return -1
	}
	return tail + i
}

// framed reads the message whose headers begin with a line. Where they turn out not to be headers, and
// where what follows is not a message, it returns nothing: all of it is reported, or read again as lines.
func (s *Stream) framed(first *frame) (*message.Message, error) {
	lines := [][]byte{first.m.Bytes()}
	first.m.Free()
	length, err := s.block(&lines)
	if err != nil {
		return nil, err
	}
	m := (*message.Message)(nil)
	if length >= 0 {
		var proven bool
		if m, proven, err = s.body(length); proven {
			s.spoke(Headers)
			return m, err
		}
	}
	for _, line := range lines {
		s.report(line, int64(len(line)))
	}
	if m != nil { // the header was printed, and the message is a line
		s.spoke(Lines)
	}
	return m, err
}

// block reads header lines up to the blank one. It returns what Content-Length says, or -1 if they
// are not a header: the line that ends them is held then.
func (s *Stream) block(lines *[][]byte) (length int64, err error) {
	length = -1
	for size := 0; ; {
		line := (*lines)[len(*lines)-1]
		size += len(line)
		if name, value, _ := field(line); bytes.EqualFold(name, lengthField) {
			n := lengthOf(value)
			if n < 0 || length >= 0 && n != length {
				return -1, nil
			}
			length = n
		}
		if size > headerBytes || s.fill() != nil {
			return -1, nil
		}
		f := frame{m: message.New(s.share)}
		if err := s.line(&f, true); err != nil && err != io.EOF {
			f.m.Free()
			return 0, err
		}
		if f.size == 0 {
			f.m.Free()
			return length, nil
		}
		if head := f.m.Head(headerBytes); f.bad != nil && !f.m.Discarded() && f.size < headerBytes {
			if _, value, ok := field(head); ok && bytes.IndexByte(value, '{') < 0 {
				*lines = append(*lines, head)
				f.m.Free()
				continue
			}
		}
		s.held = &f
		return -1, nil
	}
}

// body reads a message of so many bytes. It is proven that headers are spoken if the message, though
// broken, ends where it should. Anything else is read again as lines.
func (s *Stream) body(length int64) (m *message.Message, proven bool, err error) {
	f := frame{m: message.New(s.share)}
	for begun, ended := false, false; f.size < length && !f.done && !ended; {
		if s.fillFor(&f) != nil {
			break
		}
		rest := s.in[s.lo:s.hi]
		rest = rest[:min(int64(len(rest)), length-f.size)]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			rest = rest[:i+1]
		}
		if !begun {
			switch rest[0] {
			case ' ', '\t', '\r', '\n':
				rest = rest[:1]
			case '{', '[':
				begun = true
			default:
				ended = true
				continue
			}
		}
		lineEnd := rest[len(rest)-1] == '\n'
		if _, err := s.give(&f, len(rest)); err != nil {
			f.m.Free()
			return nil, false, err
		}
		ended = f.bad != nil && lineEnd // what is no JSON is not waited for longer
	}
	if f.done {
		// A header may count the line's end that follows. With more than that missing it was no header.
		return f.m, length-f.size <= int64(len("\r\n")), s.whole(f.m)
	}
	if f.m.Discarded() {
		s.report(f.head, f.size)
		f.m.Free()
		return nil, false, nil
	}
	text := f.m.Bytes()
	f.m.Free()
	if f.size == length && f.bad != errOther {
		if b := mend(text); b.end > 0 && b.end == len(bytes.TrimRight(text, " \t\r\n")) {
			s.report(text, f.size)
			return nil, true, b.error(text, f.bad)
		}
	}
	s.unread(text)
	return nil, false, nil
}
