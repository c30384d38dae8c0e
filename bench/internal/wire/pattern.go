package wire

// period is how many bytes a pattern has before it comes again: a prime, so that a piece of it that
// was lost, doubled or moved by a whole block is seen.
const period = 65521

// doubled is the pattern twice, so that any period of it lies in one piece.
var doubled = func() []byte {
	p := make([]byte, 2*period)
	seed := uint32(1)
	for i := range period {
		seed = seed*1664525 + 1013904223
		c := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed>>26]
		p[i], p[i+period] = c, c
	}
	return p
}()

// Pattern appends size bytes of the pattern to p. They need no escapes in JSON.
func Pattern(p []byte, size int) []byte {
	for size > 0 {
		n := min(size, period)
		p = append(p, doubled[:n]...)
		size -= n
	}
	return p
}

// Matches returns how many bytes of p are what a pattern has from its byte at on, up to the first
// that is not.
func Matches(at int, p []byte) int {
	for done := 0; done < len(p); {
		want := doubled[(at+done)%period:][:min(period, len(p)-done)]
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
