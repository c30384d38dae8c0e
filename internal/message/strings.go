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
		if stop := stops(binary.LittleEndian.Uint64(p[i:])); stop != 0 {
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

// stops marks the bytes of x that a string stops at by their highest bit. The lowest bit that is set is right;
// higher ones may be false.
func stops(x uint64) uint64 {
	quote := x ^ ones*'"'
	slash := x ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
}

// stringEnd is stringStop for a string whose text is not kept: it goes on behind escapes that are whole and
// right, so that it stops at the quote that ends the string, at a control character, or at an escape that is
// neither.
func stringEnd(p []byte, i int) int {
	for i = stringStop(p, i); i < len(p) && p[i] == '\\'; {
		n := escapeLen(p, i)
		if n == 0 {
			return i
		}
		i = pastEscapes(p, i+n)
		if i = stringStop(p, i); i < len(p) && p[i] != '\\' {
			return i
		}
	}
	return i
}

// pastEscapes returns an index that is not inside an escape, behind bytes from p[i:] that belong to the string.
// It is for text that is full of escapes, as JSON inside a string is, and reads eight bytes at a time whatever
// quotes and line breaks are in them. After some text without an escape it leaves the rest to others.
func pastEscapes(p []byte, i int) int {
	var carry uint64 // the first byte is behind a backslash
	for plain := 0; i+8 <= len(p) && plain < block/8; i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		slash := zeros(x ^ ones*'\\')
		quote := zeros(x ^ ones*'"')
		escaped := slash<<8 | carry
		control := ^((x&^highs + ones*(0x80-0x20)) | x) & highs
		known := quote | zeros(x^ones*'n')
		if control|quote&^escaped|escaped&^known != 0 {
			break // or something rarer, such as a backslash behind another
		}
		carry = slash >> 56
		if plain++; slash != 0 {
			plain = 0
		}
	}
	if carry != 0 {
		i-- // the escape is read by others
	}
	return i
}

// zeros marks the bytes of x that are zero by their highest bit.
func zeros(x uint64) uint64 { return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs)) }

// escapeLen is the length of the escape that begins at p[i], or 0 where it is cut off or none that JSON has.
func escapeLen(p []byte, i int) int {
	if i+1 >= len(p) {
		return 0
	}
	switch escapes[p[i+1]] {
	case 1:
		return 2
	case 2:
		if i+6 <= len(p) && isHex(p[i+2]) && isHex(p[i+3]) && isHex(p[i+4]) && isHex(p[i+5]) {
			return 6
		}
	}
	return 0
}

// escapes says of each byte whether it is an escape behind a backslash, 1, or begins four digits of one, 2.
var escapes = [256]uint8{'"': 1, '\\': 1, '/': 1, 'b': 1, 'f': 1, 'n': 1, 'r': 1, 't': 1, 'u': 2}

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
