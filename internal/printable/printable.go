// Package printable says which characters are only displayed, and writes all others as JSON escapes: a log that is
// shown on a terminal must not move its cursor, set its title, or reverse the text that follows.
package printable

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Shown reports whether a character is one that a person sees, and that does nothing but be seen. Control
// characters, both kinds (C0 and C1), marks that change the direction of text, invisible ones, and those of private
// use are not.
func Shown(r rune) bool { return unicode.IsGraphic(r) && r != utf8.RuneError }

// Plain reports whether text is of printable ASCII, as nearly all is.
func Plain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c >= 0x7f) && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// JSON returns the same JSON with everything in its strings that is not shown written as \u and four digits.
func JSON(text []byte) []byte {
	if Plain(text) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '\n', r == '\t', r == '\r', Shown(r): // which outside of strings are space
			out = append(out, text[i:i+size]...)
		default:
			for _, unit := range utf16.Encode([]rune{r}) { // what is no UTF-8 becomes U+FFFD
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
		i += size
	}
	return out
}
