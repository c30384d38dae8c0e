package message

import (
	"math/rand/v2"
	"testing"
)

// stringEndSlowly is stringEnd, byte by byte.
func stringEndSlowly(p []byte, i int) int {
	for i < len(p) {
		switch c := p[i]; {
		case c == '"' || c < 0x20:
			return i
		case c == '\\':
			n := escapeLen(p, i)
			if n == 0 {
				return i
			}
			i += n
		default:
			i++
		}
	}
	return i
}

// Strings full of escapes, quotes and bytes of every kind end where they do byte by byte, wherever in a word
// something is.
func TestStringEnd(t *testing.T) {
	t.Parallel()
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, seed))
	pieces := []string{`\"`, `\n`, `\\`, `\u00e9`, `\/`, `\x`, `\u12`, "é", "\x80", "\xff", "a", "name", " ", "0123456789abcdef", "\x7f", "\x1f", `"`, "\n"}
	for range 20_000 {
		var p []byte
		usual := 1 + rnd.IntN(len(pieces)) // so that many texts are long before they end
		for range rnd.IntN(60) {
			p = append(p, pieces[rnd.IntN(usual)]...)
		}
		if rnd.IntN(4) == 0 {
			p = append(p, pieces[rnd.IntN(len(pieces))]...)
		}
		for _, i := range []int{0, rnd.IntN(len(p) + 1)} {
			if got, want := stringEnd(p, i), stringEndSlowly(p, i); got != want {
				t.Fatalf("stringEnd(%q, %d) is %d, want %d", p, i, got, want)
			}
		}
	}
}
