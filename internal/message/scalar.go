package message

import "fmt"

// Numbers, strings and keys byte by byte, as when the end of a piece cuts them off, or they have escapes.

// number handles c inside a number. It reports true when the number ended before c.
func (s *Scanner) number(c byte, i int) bool {
	digit := '0' <= c && c <= '9'
	switch s.state {
	case inMinus:
		switch {
		case c == '0':
			s.state = inZero
		case digit:
			s.state = inInteger
		default:
			s.unexpected(i, c, "a digit")
		}
	case inZero, inInteger:
		switch {
		case digit && s.state == inInteger:
		case c == '.':
			s.state = inPoint
		case c == 'e' || c == 'E':
			s.state = inE
		default:
			s.endValue(i)
			return true
		}
	case inPoint, inFraction:
		switch {
		case digit:
			s.state = inFraction
		case s.state == inFraction && (c == 'e' || c == 'E'):
			s.state = inE
		case s.state == inFraction:
			s.endValue(i)
			return true
		default:
			s.unexpected(i, c, "a digit")
		}
	case inE, inESign, inExponent:
		switch {
		case digit:
			s.state = inExponent
		case s.state == inE && (c == '+' || c == '-'):
			s.state = inESign
		case s.state == inExponent:
			s.endValue(i)
			return true
		default:
			s.unexpected(i, c, "a digit")
		}
	}
	s.keep(c)
	return false
}

// scanString consumes string bytes from p[i:] and returns the index of the first it did not.
func (s *Scanner) scanString(p []byte, i int) int {
	start := i
	if s.keeps() {
		i = stringStop(p, i)
		s.keepAll(p[start:i])
	} else {
		i = stringEnd(p, i)
	}
	if i == len(p) {
		return i
	}
	switch c := p[i]; {
	case c == '"':
		if s.isKey {
			s.endKey()
		} else {
			s.keep(c)
			s.endValue(i + 1)
		}
	case c == '\\':
		s.keep(c)
		s.keyEsc = true
		s.state = inEscape
	default:
		s.unexpected(i, c, "no control character in a string")
	}
	return i + 1
}

func (s *Scanner) beginKey() {
	s.isKey, s.keyEsc = true, false
	s.key = s.key[:0]
	s.keepKey = len(s.stack) <= roomDepth && s.rooms[len(s.stack)-1] != elsewhere
	s.state = inString
}

func (s *Scanner) endKey() {
	s.isKey = false
	s.state = wantColon
	if !s.keepKey {
		return
	}
	key := s.key
	if s.keyEsc {
		key = unescape(key)
	}
	s.found(s.rooms[len(s.stack)-1], key)
}

// found takes note of a key, without its escapes, in the innermost object, which is the room here.
func (s *Scanner) found(here room, key []byte) {
	s.next = here.member(key)
	if s.next == none {
		s.env.ambiguous = s.env.ambiguous || here.lookalike(key)
		return
	}
	s.env.forget(s.next)
}

// endValue ends the scalar whose last byte is the one before byte i of the piece.
func (s *Scanner) endValue(i int) {
	if s.value != none {
		s.env.close(s.value, s.off+int64(i))
		s.value, s.capture = none, none
	}
	s.state = wantEnd
	if len(s.stack) == 0 {
		s.state = finished
	}
}

// keeps reports whether the text of the string being read is kept.
func (s *Scanner) keeps() bool {
	if s.isKey {
		return s.keepKey
	}
	return s.capture != none
}

// keep adds c to the key or member being kept, if any.
func (s *Scanner) keep(c byte) {
	switch {
	case s.isKey:
		if s.keepKey && len(s.key) < maxKey {
			s.key = append(s.key, c)
		}
	case s.capture != none:
		s.env.text = append(s.env.text, c)
		s.checkMember()
	}
}

func (s *Scanner) keepAll(p []byte) {
	switch {
	case s.isKey:
		if s.keepKey {
			s.key = append(s.key, p[:min(len(p), maxKey-len(s.key))]...)
		}
	case s.capture != none:
		room := MaxMember + 1 - s.env.length(s.capture)
		s.env.text = append(s.env.text, p[:min(len(p), room)]...)
		s.checkMember()
	}
}

func (s *Scanner) checkMember() {
	if s.env.length(s.capture) > MaxMember {
		s.fail(fmt.Errorf("%w: %q has more than %d bytes", ErrMember, s.capture, MaxMember))
	}
}
