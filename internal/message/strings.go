package message

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// How the end of a string is found. It is most of the work on a large message.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	// A string this long is looked at in blocks, which is faster for those that are far longer, and
	// slower for the rest.
	longString = 64
	block      = 1 << 10
)

// stringStop returns the index of the first byte of p[i:] that is a quote, a backslash or a control
// character, or len(p).
func stringStop(p []byte, i int) int {
	if end := i + longString; end <= len(p) {
		if j := stopWithin(p[:end], i); j < end {
			return j
		}
		for i = end; i+block <= len(p); i += block {
			b := p[i : i+block]
			if bytes.IndexByte(b, '"') >= 0 || bytes.IndexByte(b, '\\') >= 0 || hasControl(b) {
				break
			}
		}
	}
	return stopWithin(p, i)
}

// stopWithin is stringStop, looking at eight bytes at a time.
func stopWithin(p []byte, i int) int {
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		quote := x ^ ones*'"'
		slash := x ^ ones*'\\'
		// The lowest bit that is set is right; higher ones may be false, and do not matter.
		stop := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c == '\\' || c < 0x20 {
			return i
		}
	}
	return i
}

// hasControl reports whether a block has a byte below a blank.
func hasControl(b []byte) bool {
	var found uint64
	for ; len(b) >= 32; b = b[32:] {
		w, x := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		y, z := binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		found |= (w-ones*0x20)&^w | (x-ones*0x20)&^x | (y-ones*0x20)&^y | (z-ones*0x20)&^z
	}
	return found&highs != 0
}
