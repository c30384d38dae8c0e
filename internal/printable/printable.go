// Package printable makes text of others fit to be shown: nothing in it moves a cursor, sets a title or a
// clipboard, hides what follows, or turns it around. What is no letter, mark, number, sign or space is written as
// Go escapes it, or JSON.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// shown reports whether a character is one that a person sees, and that does nothing but be seen. Control
// characters, both kinds (C0 and C1), marks that change the direction of text, invisible ones, and those of private
// use are not.
func shown(r rune) bool { return unicode.IsGraphic(r) && r != utf8.RuneError }

// Text returns text of several lines with everything else that is not shown escaped. Tabs stay.
func Text(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\n', r == '\t', shown(r), r == utf8.RuneError && size > 1:
			b.WriteString(text[i : i+size])
		case r == '\r' && strings.HasPrefix(text[i+size:], "\n"): // a line's end of another system
		default:
			escape(&b, r, text[i], size)
		}
		i += size
	}
	return b.String()
}

// Line returns text as one line, in which tabs and ends of lines are escaped, too.
func Line(text string) string {
	return strings.NewReplacer("\r\n", `\n`, "\n", `\n`, "\t", `\t`).Replace(Text(text))
}

// plain reports whether text is of printable ASCII, as nearly all is.
func plain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c >= 0x7f) && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

func escape(b *strings.Builder, r rune, first byte, size int) {
	switch {
	case r == '\r':
		b.WriteString(`\r`)
	case r == utf8.RuneError && size <= 1: // no UTF-8: a byte that a terminal may take for a control character
		fmt.Fprintf(b, `\x%02x`, first)
	case r < utf8.RuneSelf:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// JSON returns the same JSON with everything in its strings that is not shown written as \u and four digits.
func JSON(text []byte) []byte {
	if plain(text) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == '\n', r == '\t', r == '\r', shown(r): // which outside of strings are space
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

// Partial returns how many of the last bytes of text say nothing without those that follow: a character that has
// only begun, or a carriage return that may belong to the end of a line.
func Partial(text string) int {
	if strings.HasSuffix(text, "\r") {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRuneInString(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
