package message

import (
	"iter"
	"strconv"
	"strings"
)

// Nearest returns the key among keys, as Key makes them, that a peer means by an id or a token which is
// none of them to the letter. There are peers that write a number otherwise than they read it (1.0 for
// 1, a float for an integer beyond 2^53), and peers that take a string for a number or the reverse.
// Numbers come before strings if id is a number, and the reverse. It is not ok if no key, or more than
// one, is as near.
func Nearest(id []byte, keys iter.Seq[string]) (key string, ok bool) {
	want, isString, ok := number(string(id))
	if !ok {
		return "", false
	}
	var same, other []string
	for k := range keys {
		got, s, ok := number(k)
		switch {
		case !ok || got != want:
		case s == isString:
			same = append(same, k)
		default:
			other = append(other, k)
		}
	}
	switch {
	case len(same) == 1:
		return same[0], true
	case len(same) == 0 && len(other) == 1:
		return other[0], true
	}
	return "", false
}

// number returns the number that an id is, or that the string is which it is.
func number(id string) (value float64, isString, ok bool) {
	text := id
	if len(id) > 1 && id[0] == '"' {
		text, isString = id[1:len(id)-1], true
	}
	if strings.Trim(text, "0123456789+-.eE") != "" { // ParseFloat knows more than JSON does
		return 0, isString, false
	}
	value, err := strconv.ParseFloat(text, 64)
	return value, isString, err == nil
}
