// Package terminal makes text from other sources safe to show on a terminal: nothing in it moves the cursor, sets
// a title or the clipboard, hides what follows, or reverses it. Any character that is not a letter, mark, number,
// sign or space is written as Go escapes it.
package terminal

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/printable"
)

// Text returns text of several lines with everything else that is not shown escaped. Tabs stay.
func Text(text string) string {
	if printable.Plain(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '\n', r == '\t', printable.Shown(r), r == utf8.RuneError && size > 1:
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
