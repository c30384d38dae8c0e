package hostemu

import (
	"strings"
	"unicode/utf8"
)

// decodePath is what the host's server makes of a request's path, before anybody sees it: escapes are
// taken out, but for %2F and for those that are no UTF-8, and then the segments "." and "..". It
// fails on a zero byte.
func decodePath(escaped string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(escaped); {
		if escaped[i] != '%' {
			b.WriteByte(escaped[i])
			i++
			continue
		}
		text, n := decodeRune(escaped[i:])
		if text == "\x00" {
			return "", false
		}
		b.WriteString(text)
		i += n
	}
	return withoutDots(b.String()), !strings.Contains(escaped, "\x00")
}

// decodeRune decodes one escaped character at the start of text. Without one, or where it must
// stay, it returns the percent sign.
func decodeRune(text string) (string, int) {
	var bytes [utf8.UTFMax]byte
	for n := 0; n < len(bytes); n++ {
		c, ok := unescape(text[3*n:])
		if !ok {
			break
		}
		bytes[n] = c
		if n == 0 && c == '/' {
			break
		}
		if r, size := utf8.DecodeRune(bytes[:n+1]); r != utf8.RuneError || size > 1 {
			return string(bytes[:n+1]), 3 * (n + 1)
		}
	}
	return "%", 1
}

// unescape reads %XX at the start of text.
func unescape(text string) (byte, bool) {
	if len(text) < 3 || text[0] != '%' {
		return 0, false
	}
	high, low := hexDigit(text[1]), hexDigit(text[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// withoutDots removes "." and ".." from a decoded path. It cannot climb above the root.
func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		last := i == len(parts)-1
		switch part {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, part)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

const (
	unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	inPath     = unreserved + "/!$&'()*+,;=:@"
	inQuery    = unreserved + ":/?[]@!$&'()*+,;="
)

// encodeTarget is the target that the handler sees: a decoded path with what a path must not hold
// escaped (YARP: RequestUtilities.EncodePath), and the query as System.Uri writes it. Each keeps the
// client's spelling only where there is no other.
func encodeTarget(path, query string, hasQuery bool) string {
	var b strings.Builder
	for i := range len(path) {
		escapeUnless(&b, path[i], inPath)
	}
	if path == "" {
		b.WriteByte('/')
	}
	if !hasQuery {
		return b.String()
	}
	b.WriteByte('?')
	for i := 0; i < len(query); {
		c, escaped := unescape(query[i:])
		switch {
		case !escaped:
			escapeUnless(&b, query[i], inQuery)
			i++
			continue
		case strings.IndexByte(unreserved, c) >= 0:
			b.WriteByte(c)
		case c < utf8.RuneSelf:
			b.WriteString(query[i : i+3])
		default:
			text, n := decodeRune(query[i:])
			if n == 1 { // no UTF-8: it stays
				b.WriteString(query[i : i+3])
				break
			}
			for j := range len(text) {
				escapeUnless(&b, text[j], "")
			}
			i += n
			continue
		}
		i += 3
	}
	return b.String()
}

func escapeUnless(b *strings.Builder, c byte, allowed string) {
	const digits = "0123456789ABCDEF"
	if strings.IndexByte(allowed, c) >= 0 {
		b.WriteByte(c)
		return
	}
	b.WriteString("%" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1])
}
