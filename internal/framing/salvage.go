package framing

import (
	"bytes"
	"encoding/json"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// salvage is text, of one line or several, in which messages are looked for.
type salvage struct {
	text []byte // nil if absent
	from int    // where what has not been reported begins
	at   int    // where to look on
	cut  bool   // the input ends here
	log  bool   // it follows text
	work int    // bytes that may still be looked at: more than once, but not more often than a few times
}

const salvageWork = 8 // times the text

func (l *salvage) begin(text []byte) {
	*l = salvage{text: text, work: salvageWork*len(text) + headerBytes}
}

// look begins to look for messages in a frame that is not one, which it frees.
func (s *Stream) look(f *frame) error {
	defer f.m.Free()
	if !f.m.Discarded() {
		s.lines.begin(f.m.Bytes())
		s.lines.cut = f.cut
		return nil
	}
	s.report(f.head, f.size)
	if e := f.m.Envelope(); !f.cut && e.Version() && e.Method() == "" && usable(e.ID()) {
		return &BrokenError{ID: bytes.Clone(e.ID()), Head: f.head, Err: s.notStored(f.m)}
	}
	return nil
}

// salvage returns the next message of the text that is looked through, or a *BrokenError for one
// that is not whole. It returns neither at the end.
func (s *Stream) salvage() (*message.Message, error) {
	l := &s.lines
	for l.from < len(l.text) {
		end := len(l.text)
		if i := bytes.IndexByte(l.text[l.from:], '\n'); i >= 0 {
			end = l.from + i
		}
		m, err := s.within(l.text[:end])
		if m != nil || err != nil {
			return m, err
		}
		rest := l.text[l.from:end]
		if i := headerWithin(rest); i >= 0 && end == len(l.text) && s.held == nil && s.mayHaveHeaders() {
			s.report(rest[:i], int64(i))
			header := frame{m: message.New(s.share)}
			s.add(&header, rest[i:], nil)
			s.held = &header
		} else {
			s.report(rest, int64(len(rest)))
		}
		l.from, l.at = end+1, end+1
	}
	*l = salvage{}
	return nil, nil
}

// within is salvage for the rest of one line, which ends the given text. It returns nothing when
// what is left is noise.
func (s *Stream) within(text []byte) (*message.Message, error) {
	l := &s.lines
	for {
		c := candidate(text, l.at)
		if c < 0 || l.work <= 0 {
			return nil, nil
		}
		m := message.New(s.share)
		n, bad := m.AppendValue(text[c:], nil)
		l.work -= n
		if bad == nil && m.Complete() {
			if !ours(m) || !m.Envelope().Version() && m.Kind() != message.Batch || m.Envelope().FromClient() || s.said.has(text[c:c+n]) {
				m.Free() // a log record, or a log of what the server was told
				l.at = c + n
				continue
			}
			s.report(text[l.from:c], int64(c-l.from))
			l.from, l.at = c+n, c+n
			s.spoke(Lines)
			return m, s.whole(m)
		}
		goesOn := bad == nil && !m.InString() && promising(text[c:]) && len(text) == len(l.text) && !l.cut && s.held == nil
		m.Free()
		if goesOn { // over several lines
			s.report(text[l.from:c], int64(c-l.from))
			first := frame{m: message.New(s.share), behind: !invisible(text[l.from:c])}
			s.add(&first, text[c:], nil)
			s.held = &first
			l.from, l.at = len(text), len(text)
			return nil, nil
		}
		if bad == nil {
			bad = message.ErrUnfinished
		}
		b := mend(text[c:])
		l.work -= 2 * (len(text) - c)
		if !b.version {
			l.at = c + 1
			continue
		}
		// What stands inside a message that is not whole is its own: nothing is looked for there, unless it
		// has no end, and a whole message has the line's.
		stop := c + b.end
		if b.end < 0 {
			stop = s.last(text, c+1)
		}
		before := text[l.from:c]
		broken := text[c:stop]
		s.report(before, int64(len(before)))
		s.report(broken, int64(len(broken)))
		l.from, l.at = stop, stop
		// Behind text, what has no end is more likely a log of a message than a message.
		answer := b.end >= 0 || invisible(before) && !l.log && !(l.cut && stop == len(l.text))
		if err := b.error(broken, bad); err != nil && answer {
			return nil, err
		}
	}
}

// last returns where the message begins that ends the line, if another one was being written, or
// the end of the line.
func (s *Stream) last(text []byte, from int) int {
	for s.lines.work > 0 {
		i := bytes.Index(text[from:], []byte(`{"jsonrpc"`))
		if i < 0 {
			break
		}
		from += i
		m := message.New(nil)
		n, err := m.AppendValue(text[from:], nil)
		whole := err == nil && m.Complete() && ours(m) && len(bytes.TrimSpace(text[from+n:])) == 0
		m.Free()
		s.lines.work -= n
		if whole {
			return from
		}
		from++
	}
	return len(text)
}

// candidate returns where, from at on, a message may begin: an object with a key, or an array of
// objects.
func candidate(text []byte, at int) int {
	for ; at < len(text); at++ {
		i := bytes.IndexAny(text[at:], "{[")
		if i < 0 {
			break
		}
		at += i
		want := byte('"')
		if text[at] == '[' {
			want = '{'
		}
		for j := at + 1; j < len(text); j++ {
			c := text[j]
			if c == want {
				return at
			}
			if c != ' ' && c != '\t' && c != '\r' {
				break
			}
			if j == len(text)-1 && want == '"' { // the first of several lines
				return at
			}
		}
		if at == len(text)-1 && want == '"' {
			return at
		}
	}
	return -1
}

// invisible reports whether a text has nothing but blanks, control characters, terminal sequences
// and a byte order mark.
func invisible(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	for i := 0; i < len(text); i++ {
		if text[i] == 0x1b && i+1 < len(text) && text[i+1] == '[' { // ECMA-48, "CSI"
			for i += 2; i < len(text) && (text[i] < 0x40 || text[i] > 0x7e); i++ {
			}
			continue
		}
		if text[i] > ' ' {
			return false
		}
	}
	return true
}

// A mended message is what can be known of one that is no JSON.
type mended struct {
	id      []byte // usable, or nil
	version bool   // it says "jsonrpc": "2.0"
	method  bool   // it is a request or notification
	end     int    // where it ends, or -1
}

// error returns a *BrokenError if someone waits for the message.
func (b mended) error(text []byte, bad error) error {
	if b.id == nil || b.method || !b.version {
		return nil
	}
	return &BrokenError{ID: b.id, Head: bytes.Clone(text[:min(len(text), headBytes)]), Err: bad}
}

// mend reads the message that text begins with as if what is no JSON were: words like NaN, and
// control characters in strings.
func mend(text []byte) mended {
	plain := bytes.Clone(text)
	quoted := false
	for i := 0; i < len(plain); i++ {
		switch c := plain[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted && c < ' ':
			plain[i] = ' '
		case !quoted && isWord(c):
			j := i + 1
			for j < len(plain) && isWord(plain[j]) {
				j++
			}
			if !json.Valid(plain[i:j]) {
				copy(plain[i:j], append([]byte{'0'}, bytes.Repeat([]byte{' '}, j-i-1)...))
			}
			i = j - 1
		}
	}
	var scan message.Scanner
	n, err := scan.ScanValue(plain)
	b := mended{end: -1}
	if err == nil && scan.Complete() {
		b.end = n
	} else {
		b.end = balance(plain)
	}
	e := scan.Envelope()
	b.version, b.method = e.Version(), e.Method() != ""
	if usable(e.ID()) {
		b.id = bytes.Clone(e.ID())
	}
	return b
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == '_'
}

// usable reports whether an id is a string or a number.
func usable(id []byte) bool {
	return len(id) > 1 && id[0] == '"' || len(id) > 0 && (id[0] == '-' || '0' <= id[0] && id[0] <= '9')
}

// balance returns where the brackets that text begins with are closed, or -1.
func balance(text []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return -1
}
