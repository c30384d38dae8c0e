package hostemu

import (
	"strings"
	"unicode"
)

// match returns the parameters of a decoded path, as RoutePatternMatcher and the constraints after it
// do. One trailing slash counts for nothing, but in a catch-all; an empty segment fits nothing.
func (t template) match(path string) (map[string]string, bool) {
	var segments, rests []string // rests[i] is the path from segment i on
	for rest := strings.TrimPrefix(path, "/"); rest != ""; {
		s, after, _ := strings.Cut(rest, "/")
		segments, rests = append(segments, s), append(rests, rest)
		rest = after
	}
	values := map[string]*string{}
	for i, s := range segments {
		if s == "" || i == len(t) {
			return nil, false
		}
		p, simple := t[i].simple()
		switch {
		case simple && p.catchAll:
			values[p.name] = &rests[i]
			return t.constrain(values)
		case simple && p.parameter():
			values[p.name] = &s
		case simple && !equalFold(s, p.text), !simple && !t[i].matchComplex(s, values):
			return nil, false
		}
	}
	for _, s := range t[min(len(segments), len(t)):] {
		p, simple := s.simple()
		switch {
		case !simple || !p.parameter(), !p.optional && !p.catchAll && p.fallback == nil:
			return nil, false
		case p.catchAll || p.fallback != nil:
			values[p.name] = p.fallback
		}
	}
	return t.constrain(values)
}

// constrain returns the values that all constraints accept. A catch-all without a value is empty then.
func (t template) constrain(values map[string]*string) (map[string]string, bool) {
	for _, s := range t {
		for _, p := range s {
			value, present := values[p.name]
			if !present && p.optional {
				continue
			}
			for _, accepts := range p.constraints {
				if !accepts(value) {
					return nil, false
				}
			}
		}
	}
	texts := make(map[string]string, len(values))
	for name, value := range values {
		texts[name] = ""
		if value != nil {
			texts[name] = *value
		}
	}
	return texts, true
}

// matchComplex fits text to a segment of several parts. An optional end may be missing with the dot
// before it.
func (s segment) matchComplex(text string, values map[string]*string) bool {
	last := len(s) - 1
	if s.matchParts(text, last, values) {
		return true
	}
	if !s[last].optional || !s[last-1].separator || strings.HasSuffix(text, s[last-1].text) {
		return false
	}
	return s.matchParts(text, last-2, values)
}

// matchParts fits text to the parts up to last, from the right: each literal is found as far right as
// it can be, and what lies between two of them is the parameter's, at least one character.
func (s segment) matchParts(text string, last int, values map[string]*string) bool {
	found := map[string]*string{}
	end := len(text) // of what is not fitted yet
	pending := -1    // the parameter that ends there
	take := func(from int) bool {
		value := text[from:end]
		found[s[pending].name] = &value
		return value != ""
	}
	for i := last; i >= 0; i-- {
		if s[i].parameter() {
			pending = i
			continue
		}
		limit := end
		if pending >= 0 {
			limit--
		}
		if limit <= 0 {
			return false
		}
		at := lastIndexFold(text[:limit], s[i].text)
		if at < 0 || i == len(s)-1 && at+len(s[i].text) != len(text) {
			return false
		}
		if pending >= 0 {
			if !take(at + len(s[i].text)) {
				return false
			}
			pending = -1
		}
		end = at
	}
	if pending >= 0 {
		if !take(0) {
			return false
		}
		end = 0
	}
	if end != 0 {
		return false
	}
	for name, value := range found {
		values[name] = value
	}
	return true
}

// equalFold compares as StringComparison.OrdinalIgnoreCase does: by capitals, where no letter beyond
// ASCII has one within it.
func equalFold(a, b string) bool { return capitals(a) == capitals(b) }

func lastIndexFold(text, literal string) int {
	for i := len(text) - len(literal); i >= 0; i-- {
		if equalFold(text[i:i+len(literal)], literal) {
			return i
		}
	}
	return -1
}

func capitals(text string) string {
	return strings.Map(func(r rune) rune {
		if u := unicode.ToUpper(r); r < unicode.MaxASCII || u > unicode.MaxASCII {
			return u
		}
		return r
	}, text)
}
