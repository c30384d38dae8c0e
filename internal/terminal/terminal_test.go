package terminal

import (
	"testing"
	"unicode/utf8"

	"github.com/mcpfunc/mcpfunc/internal/printable"
)

func TestNothingIsLeftThatSteers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, ünïcode, 漢字, 😀 and a\ttab\nline": "plain, ünïcode, 漢字, 😀 and a\ttab\nline",
		"\x1b]52;c;aGk=\x07 clipboard":           `\x1b]52;c;aGk=\x07 clipboard`,
		"\x1b]0;title\x1b\\":                     `\x1b]0;title\x1b\`,
		"\x1b[2J\x1b[31m":                        `\x1b[2J\x1b[31m`,
		"ok\rhidden":                             `ok\rhidden`,
		"line\r\nline":                           "line\nline",
		"\u009b31m and \u009d0;t\u009c":          `\u009b31m and \u009d0;t\u009c`,
		"\x9b31m":                                `\x9b31m`,
		"\x7f\b\v\f\x00":                         `\x7f\x08\x0b\x0c\x00`,
		"\u202egnp.exe\u2066\u2069\u200f\u061c":  `\u202egnp.exe\u2066\u2069\u200f\u061c`,
		"\u200b\ufeff\u2028\u2029\u00ad\U000e0041\ue000\U0010ffff|": `\u200b\ufeff\u2028\u2029\u00ad\U000e0041\ue000\U0010ffff|`,
		"\xff\xc3": `\xff\xc3`,
		"\ufffd":   "\ufffd",
	} {
		if got := Text(text); got != want {
			t.Errorf("Text(%q) = %q, want %q", text, got, want)
		}
	}
	if got := Line("a\r\nb\tc\nd"); got != `a\nb\tc\nd` {
		t.Errorf("a line is %q", got)
	}
}

func TestPartsOfCharactersWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "a": 0, "ü": 0, "ü"[:1]: 1, "漢"[:2]: 2, "😀"[:3]: 3, "a\r": 1, "a\x9b": 0, "\x9b\x9b\x9b\x9b": 0, "a😀"[:2]: 1} {
		if got := Partial(text); got != want {
			t.Errorf("Partial(%q) = %d, want %d", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[2J")
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !utf8.ValidString(got) {
			t.Errorf("%q is no UTF-8", got)
		}
		for _, r := range got {
			if !printable.Shown(r) && r != '\n' && r != '\t' && r != utf8.RuneError {
				t.Errorf("%U is left of %q", r, text)
			}
		}
		if again := Text(got); again != got {
			t.Errorf("%q is escaped again: %q", got, again)
		}
	})
}
