package policy

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// matchesAny reports whether one of the globs matches the whole of name.
func matchesAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool { return Matches(glob, name) })
}

// Matches reports whether a glob of Rules matches the whole of name. Unlike that of package path, its "*" does not stop at
// a slash: names of tools may have one, and a rule must not end there.
func Matches(glob, name string) bool {
	star, from := -1, 0 // the last "*", and where what it matches begins to be tried
	g, n := 0, 0
	for n < len(name) {
		switch _, size := utf8.DecodeRuneInString(name[n:]); {
		case g < len(glob) && glob[g] == '*':
			star, from = g, n
			g++
		case g < len(glob) && glob[g] == '?':
			g, n = g+1, n+size
		case g < len(glob) && glob[g] == name[n]:
			g, n = g+1, n+1
		case star >= 0:
			from++
			g, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}

// forms returns a URI as it is, and as servers understand it that undo its escapes. It is not ok if that leads
// somewhere else than it seems to, by "..", or by what readers of URLs leave out (WHATWG URL, "URL parsing"): no glob can
// say what is meant.
func forms(uri string) (all []string, ok bool) {
	all, ok = []string{uri}, true
	if strings.IndexByte(uri, '%') >= 0 {
		if decoded, err := url.PathUnescape(uri); err == nil {
			all = append(all, decoded)
		}
	}
	for _, form := range all {
		ok = ok && !strings.ContainsFunc(form, unicode.IsControl) && strings.TrimSpace(form) == form
		for part := range strings.FieldsFuncSeq(form, func(r rune) bool { return r == '/' || r == '\\' }) {
			ok = ok && part != ".." && part != "."
		}
	}
	return all, ok
}

// lowerScheme returns a URI, or a glob of them, with its scheme in small letters: no reader tells its case.
func lowerScheme(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if lower := strings.ToLower(scheme); ok && lower != scheme {
		return lower + ":" + rest
	}
	return uri
}
