package message

import (
	"iter"
	"slices"
)

// What is inside a message, for the few who have to look deeper than an envelope does. The text is that of a
// message, so it is known to be JSON.

// A Span is where a value is in a text: its first byte, and the one behind its last.
type Span struct{ From, To int }

// Whole is the span of the one value that text is.
func Whole(text []byte) Span {
	from := blanks(text, 0)
	return Span{from, skip(text, from)}
}

// Members yields the keys of an object, without their escapes, and where their values stand: in order, and
// a key that is written twice twice. Of anything but an object it yields none.
func Members(text []byte, object Span) iter.Seq2[string, Span] {
	return func(yield func(string, Span) bool) {
		if text[object.From] != '{' {
			return
		}
		for i := blanks(text, object.From+1); text[i] != '}'; {
			end := skip(text, i)
			key := decoded(text[i:end])
			from := blanks(text, blanks(text, end)+1) // behind the colon
			value := Span{from, skip(text, from)}
			if !yield(key, value) {
				return
			}
			if i = blanks(text, value.To); text[i] == ',' {
				i = blanks(text, i+1)
			}
		}
	}
}

// Elements yields where the elements of an array stand. Of anything but an array it yields none.
func Elements(text []byte, array Span) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		if text[array.From] != '[' {
			return
		}
		for i := blanks(text, array.From+1); text[i] != ']'; {
			value := Span{i, skip(text, i)}
			if !yield(value) {
				return
			}
			if i = blanks(text, value.To); text[i] == ',' {
				i = blanks(text, i+1)
			}
		}
	}
}

// String returns what a reader understands the string at a span to be, and whether there is one.
func String(text []byte, at Span) (string, bool) {
	if text[at.From] != '"' {
		return "", false
	}
	return decoded(text[at.From:at.To]), true
}

// blanks returns the index of the first byte of text[i:] that is not a blank.
func blanks(text []byte, i int) int {
	for i < len(text) && blank(text[i]) {
		i++
	}
	return i
}

// skip returns the index behind the value that begins at text[i].
func skip(text []byte, i int) int {
	for depth := 0; ; {
		switch text[i] {
		case '"':
			i = skipString(text, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default:
			for i < len(text) && !ends(text[i]) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// skipString returns the index behind the string that begins at text[i].
func skipString(text []byte, i int) int {
	for i = stringStop(text, i+1); text[i] != '"'; i = stringStop(text, i) {
		i += 2 // an escape
	}
	return i + 1
}

// ends reports whether a number or a literal ends before c.
func ends(c byte) bool { return c == ',' || c == '}' || c == ']' || blank(c) }

// Cut takes spans out of the message, which are in order and do not overlap, and leaves every other byte as
// it is. What is left must be JSON, and have the envelope that it had. It may be called only while nobody
// else holds the message.
func (m *Message) Cut(spans []Span) {
	for _, s := range slices.Backward(spans) { // from the end, so that the places before stay where they are
		m.replace(s.From, s.To, nil)
	}
}
