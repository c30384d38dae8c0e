package wire

// A Kind is what large texts are made of, as they stand in JSON.
type Kind string

// The kinds.
const (
	Plain Kind = ""      // without escapes
	JSON  Kind = "json"  // JSON in a string, as tools often answer: a third of it are escapes
	Lines Kind = "lines" // text in lines
)

// period is how many bytes a pattern has at least before it comes again: a prime, so that a piece of it that
// was lost, doubled or moved by a whole block is seen.
const period = 65521

// A pattern is bytes that come again and again, twice, so that any period of it lies in one piece.
type pattern struct {
	twice  []byte
	period int
}

// patterns are made of units, which end with no escape cut off.
var patterns = map[Kind]pattern{
	Plain: newPattern("x", period),
	JSON:  newPattern(`\"xxxxxxxx\":\"xxxxxxxxxxxxxx\",`, period/32),
	Lines: newPattern(`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n`, period/64),
}

// newPattern returns so many units, in which each x is a letter of its own.
func newPattern(unit string, units int) pattern {
	once := make([]byte, 0, 2*units*len(unit))
	seed := uint32(1)
	for range units {
		for _, c := range []byte(unit) {
			if c == 'x' {
				seed = seed*1664525 + 1013904223
				c = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed>>26]
			}
			once = append(once, c)
		}
	}
	return pattern{append(once, once...), len(once)}
}

// Append appends size bytes of the pattern to p. Those of Plain need no escapes in JSON; of the others, size is
// a multiple of 64.
func (k Kind) Append(p []byte, size int) []byte {
	of := patterns[k]
	for size > 0 {
		n := min(size, of.period)
		p = append(p, of.twice[:n]...)
		size -= n
	}
	return p
}

// Matches returns how many bytes of p are what the pattern has from its byte at on, up to the first
// that is not.
func (k Kind) Matches(at int, p []byte) int {
	of := patterns[k]
	for done := 0; done < len(p); {
		want := of.twice[(at+done)%of.period:][:min(of.period, len(p)-done)]
		if string(p[done:done+len(want)]) != string(want) {
			for p[done] == want[0] {
				done, want = done+1, want[1:]
			}
			return done
		}
		done += len(want)
	}
	return len(p)
}
