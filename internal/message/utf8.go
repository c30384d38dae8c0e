package message

import (
	"errors"
	"unicode/utf8"
)

// ErrEncoding is returned for bytes that are not UTF-8, in which JSON between systems is written (RFC 8259,
// section 8.1). Two readers could take them for different text: one of them checks a name, the other acts on it.
var ErrEncoding = errors.New("it has bytes that are not UTF-8")

// An encoding checks UTF-8 that comes in pieces.
type encoding struct {
	cut  [utf8.UTFMax]byte // the beginning of a character that the last piece has cut
	have int
}

// add reports whether p may follow what has come.
func (e *encoding) add(p []byte) bool {
	for e.have > 0 && len(p) > 0 {
		e.cut[e.have] = p[0]
		e.have++
		p = p[1:]
		if utf8.FullRune(e.cut[:e.have]) {
			if r, n := utf8.DecodeRune(e.cut[:e.have]); r == utf8.RuneError && n == 1 {
				return false
			}
			e.have = 0
		}
	}
	if e.have > 0 {
		return true
	}
	whole := len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if c := p[len(p)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(p[len(p)-back:]) {
				whole = len(p) - back
			}
			break
		}
	}
	e.have = copy(e.cut[:], p[whole:])
	return utf8.Valid(p[:whole])
}
