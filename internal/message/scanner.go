package message

import (
	"errors"
	"fmt"
)

// Limits of a scan. They bound memory, not what may pass: no client or server of MCP comes near.
const (
	MaxDepth  = 10_000 // nested objects and arrays, as in encoding/json
	MaxMember = 4096   // bytes of JSON text of a member that we keep (an id, a token, a method)
	maxKey    = 256    // a key longer than this, escapes included, is not one of ours
)

// ErrMember is returned for a member that is longer than MaxMember.
var ErrMember = errors.New("a member is too long")

// ErrUnfinished is returned by Scanner.End when the value is not complete.
var ErrUnfinished = errors.New("unexpected end of JSON input")

// A SyntaxError is a byte that no JSON value can have at its place.
type SyntaxError struct {
	Offset int64 // from the beginning of the message, from 0
	Text   string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Text) }

type state uint8

const (
	wantValue      state = iota // a value, after ":" or "," or at the start
	wantFirstValue              // after "[": a value or "]"
	wantFirstKey                // after "{": a key or "}"
	wantKey                     // after "," in an object
	wantColon
	wantEnd // after a value: "," or what closes
	inString
	inEscape
	inHex
	inMinus
	inZero
	inInteger
	inPoint
	inFraction
	inE
	inESign
	inExponent
	inLiteral
	finished // the value is complete; only blanks may follow
	failed
)

// A Scanner reads one JSON value. The zero value is ready; Reset makes it so again. It is not safe
// for concurrent use.
type Scanner struct {
	env   Envelope
	err   error
	off   int64 // bytes consumed by earlier Writes
	state state

	stack []byte // '{' or '[', outermost first
	rooms [roomDepth]room
	next  member // what the coming value is

	isKey   bool // the string being read is a key
	key     []byte
	keyEsc  bool
	keepKey bool

	value   member // the member that the scalar being read is, or none
	capture member // the same if its text is being kept
	hex     uint8
	literal string // what is left of true, false or null

	newlines  bool
	container bool // the value is an object or an array
}

// Reset makes s ready for another message, keeping its memory.
func (s *Scanner) Reset() {
	*s = Scanner{stack: s.stack[:0], key: s.key[:0], env: Envelope{text: s.env.text[:0]}}
}

// Envelope returns what has been found so far; it is final once End has returned nil. It is valid
// until Reset.
func (s *Scanner) Envelope() *Envelope { return &s.env }

// Newlines reports whether a CR or LF stood between tokens. Inside a token there can be none.
func (s *Scanner) Newlines() bool { return s.newlines }

// End says that no more bytes come, and returns an error unless they were exactly one JSON value.
func (s *Scanner) End() error {
	switch s.state {
	case inZero, inInteger, inFraction, inExponent:
		if len(s.stack) == 0 {
			s.state = finished
		}
	}
	if s.err != nil {
		return s.err
	}
	if s.state != finished {
		s.fail(ErrUnfinished)
		return s.err
	}
	s.env.settle()
	return nil
}

// Scan consumes the next piece of the message. After an error every further call returns it.
func (s *Scanner) Scan(p []byte) error {
	_, err := s.scan(p, false)
	return err
}

// ScanValue is Scan, but it stops behind the object or array that the value is, once that is Complete.
// It returns how many bytes it has consumed.
func (s *Scanner) ScanValue(p []byte) (int, error) { return s.scan(p, true) }

// Complete reports whether the value is an object or array and has ended.
func (s *Scanner) Complete() bool { return s.state == finished && s.container }

// InString reports whether the next byte is one of a string: a line break cannot be.
func (s *Scanner) InString() bool {
	return s.state == inString || s.state == inEscape || s.state == inHex
}

func (s *Scanner) scan(p []byte, one bool) (int, error) {
	i := 0
	for i < len(p) {
		c := p[i]
		switch s.state {
		case inString:
			i = s.scanString(p, i)
			continue
		case wantValue, wantFirstValue:
			if blank(c) {
				s.blank(c)
				break
			}
			if c == ']' && s.state == wantFirstValue {
				s.pop()
				break
			}
			if end := s.wholeValue(p, i, c); end > i {
				i = end
				continue
			}
			s.begin(c, i)
		case wantFirstKey, wantKey:
			if blank(c) {
				s.blank(c)
				break
			}
			switch {
			case c == '"':
				if end := s.wholeKey(p, i); end > i {
					i = end
					continue
				}
				s.beginKey()
			case c == '}' && s.state == wantFirstKey:
				s.pop()
			default:
				s.unexpected(i, c, "a key")
			}
		case wantColon:
			switch {
			case c == ':':
				s.state = wantValue
			case blank(c):
				s.blank(c)
			default:
				s.unexpected(i, c, "a colon")
			}
		case finished:
			if one && s.container {
				s.off += int64(i)
				return i, nil
			}
			s.after(c, i)
		case wantEnd:
			s.after(c, i)
		case inEscape:
			s.keep(c)
			switch c {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				s.state = inString
			case 'u':
				s.hex, s.state = 0, inHex
			default:
				s.unexpected(i, c, "an escape")
			}
		case inHex:
			s.keep(c)
			if !isHex(c) {
				s.unexpected(i, c, "a hexadecimal digit")
				break
			}
			if s.hex++; s.hex == 4 {
				s.state = inString
			}
		case inLiteral:
			if c != s.literal[0] {
				s.unexpected(i, c, "a literal")
				break
			}
			s.keep(c)
			if s.literal = s.literal[1:]; s.literal == "" {
				s.endValue(i + 1)
			}
		case failed:
			return i, s.err
		default:
			if s.number(c, i) {
				continue // c is not of the number; look at it again
			}
		}
		i++
	}
	s.off += int64(len(p))
	return len(p), s.err
}

// begin starts the value whose first byte is c.
func (s *Scanner) begin(c byte, i int) {
	m := s.next
	s.next = none
	if c == '{' || c == '[' {
		s.env.note(m, kindContainer)
		if m != none && m < placed {
			s.env.places[m] = place{s.off + int64(i), s.off + int64(i) + 1} // of what opens it
		}
		s.push(c, m, i)
		return
	}
	if m != none {
		s.env.open(m, c, s.off+int64(i))
		s.value = m
		if kept[m] {
			s.capture = m
		}
	}
	switch {
	case c == '"':
		s.state = inString
	case c == '-':
		s.state = inMinus
	case c == '0':
		s.state = inZero
	case '1' <= c && c <= '9':
		s.state = inInteger
	case c == 't':
		s.state, s.literal = inLiteral, "rue"
	case c == 'f':
		s.state, s.literal = inLiteral, "alse"
	case c == 'n':
		s.state, s.literal = inLiteral, "ull"
	default:
		s.unexpected(i, c, "a value")
		return
	}
	s.keep(c)
}

// after handles what may follow a value. It is also where a number ends.
func (s *Scanner) after(c byte, i int) {
	if blank(c) {
		s.blank(c)
		return
	}
	if len(s.stack) == 0 {
		s.unexpected(i, c, "nothing after the value")
		return
	}
	open := s.stack[len(s.stack)-1]
	switch {
	case c == ',' && open == '{':
		s.state = wantKey
	case c == ',':
		s.state = wantValue
	case c == '}' && open == '{', c == ']' && open == '[':
		s.pop()
	default:
		s.unexpected(i, c, "a comma")
	}
}

func (s *Scanner) push(c byte, m member, i int) {
	if len(s.stack) == MaxDepth {
		s.fail(&SyntaxError{s.off + int64(i), fmt.Sprintf("nested deeper than %d", MaxDepth)})
		return
	}
	if len(s.stack) < roomDepth {
		r := elsewhere
		switch {
		case c == '{' && len(s.stack) == 0:
			r = inMessage
		case c == '{':
			r = roomOf[m]
		}
		s.rooms[len(s.stack)] = r
	}
	if len(s.stack) == 0 {
		s.container, s.env.array = true, c == '['
	}
	s.stack = append(s.stack, c)
	s.state = wantFirstValue
	if c == '{' {
		s.state = wantFirstKey
	}
}

func (s *Scanner) pop() {
	s.stack = s.stack[:len(s.stack)-1]
	s.state = wantEnd
	if len(s.stack) == 0 {
		s.state = finished
	}
}

func (s *Scanner) blank(c byte) {
	if c == '\n' || c == '\r' {
		s.newlines = true
	}
}

func (s *Scanner) unexpected(i int, c byte, want string) {
	s.fail(&SyntaxError{s.off + int64(i), fmt.Sprintf("%q where JSON wants %s", c, want)})
}

func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.state = failed
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
