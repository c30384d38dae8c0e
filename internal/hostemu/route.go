package hostemu

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A template is a parsed ASP.NET route template: literals, {name}, {name?}, {name=value}, {*rest}
// and the constraints below. A segment is one literal or one parameter, not a mixture.
type template []segment

type segment struct {
	literal     string // empty for a parameter
	name        string
	catchAll    bool
	optional    bool
	fallback    string // of {name=value}
	constraints []constraint
}

// A constraint accepts or refuses a parameter's text.
type constraint func(value string) bool

// parseTemplate reads a template without a leading slash. The empty one matches the root.
func parseTemplate(text string) (template, error) {
	switch {
	case strings.HasPrefix(text, "/"), strings.HasPrefix(text, "~"):
		return nil, errors.New(`must not begin with "/" or "~"`)
	case strings.ContainsRune(text, ' '):
		return nil, errors.New("must not contain blanks")
	case strings.Contains(text, "//"):
		return nil, errors.New(`must not contain "//"`)
	}
	text = strings.TrimSuffix(text, "/")
	if text == "" {
		return nil, nil
	}
	var t template
	names := map[string]bool{}
	parts := strings.Split(text, "/")
	for i, part := range parts {
		seg, err := parseSegment(part)
		if err != nil {
			return nil, err
		}
		last := i == len(parts)-1
		switch name := strings.ToLower(seg.name); {
		case seg.catchAll && !last:
			return nil, fmt.Errorf("%s must be the last segment", part)
		case seg.optional && !last:
			return nil, fmt.Errorf("%s is optional and must be the last segment", part)
		case name != "" && names[name]:
			return nil, fmt.Errorf("parameter %q appears twice", seg.name)
		default:
			names[name] = true
		}
		t = append(t, seg)
	}
	return t, nil
}

func parseSegment(part string) (segment, error) {
	inner, opened := strings.CutPrefix(part, "{")
	if !opened {
		if strings.ContainsAny(part, "{}*?") {
			return segment{}, fmt.Errorf("segment %q mixes text and parameter, or holds a character that a literal must not", part)
		}
		return segment{literal: part}, nil
	}
	inner, closed := strings.CutSuffix(inner, "}")
	if !closed || strings.ContainsAny(inner, "{}") {
		return segment{}, fmt.Errorf("segment %q has unbalanced braces or mixes text and parameter", part)
	}
	var s segment
	if rest := strings.TrimLeft(inner, "*"); len(inner)-len(rest) > 0 {
		s.catchAll, inner = true, rest
	}
	inner, s.optional = strings.CutSuffix(inner, "?")
	inner, s.fallback, _ = strings.Cut(inner, "=")
	name, constraints, constrained := strings.Cut(inner, ":")
	if name == "" {
		return segment{}, fmt.Errorf("segment %q has no parameter name", part)
	}
	if s.catchAll && s.optional {
		return segment{}, fmt.Errorf("segment %q: a catch-all cannot be optional", part)
	}
	s.name = name
	if constrained {
		for text := range strings.SplitSeq(constraints, ":") {
			c, err := parseConstraint(text)
			if err != nil {
				return segment{}, fmt.Errorf("segment %q: %w", part, err)
			}
			s.constraints = append(s.constraints, c)
		}
	}
	return s, nil
}

func parseConstraint(text string) (constraint, error) {
	name, argument, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	switch name {
	case "int":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 32); return err == nil }, nil
	case "long":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 64); return err == nil }, nil
	case "bool":
		return func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") }, nil
	case "alpha":
		return func(v string) bool {
			return !strings.ContainsFunc(v, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' })
		}, nil
	case "guid":
		return func(v string) bool {
			digits := strings.ReplaceAll(strings.Trim(v, "{}()"), "-", "")
			return len(digits) == 32 && strings.Trim(strings.ToLower(digits), "0123456789abcdef") == ""
		}, nil
	case "required":
		return func(v string) bool { return v != "" }, nil
	case "minlength", "maxlength":
		n, err := strconv.Atoi(argument)
		if err != nil {
			return nil, fmt.Errorf("constraint %q wants a number", text)
		}
		return func(v string) bool { return name == "minlength" && len(v) >= n || name == "maxlength" && len(v) <= n }, nil
	}
	return nil, fmt.Errorf("constraint %q is not known here", text)
}

// match returns the parameters of a path, split by segments. Text compares without regard to case;
// a catch-all takes the empty rest too.
func (t template) match(path []string) (map[string]string, bool) {
	values := map[string]string{}
	for i, seg := range t {
		var value string
		switch present := i < len(path); {
		case seg.catchAll:
			value = strings.Join(path[min(i, len(path)):], "/")
		case seg.literal != "":
			if !present || !strings.EqualFold(path[i], seg.literal) {
				return nil, false
			}
			continue
		case present && path[i] != "":
			value = path[i]
		case !present && (seg.optional || seg.fallback != ""):
		default:
			return nil, false
		}
		if value == "" {
			if seg.fallback == "" && !seg.catchAll {
				continue
			}
			values[seg.name] = seg.fallback
			continue
		}
		for _, accepts := range seg.constraints {
			if !accepts(value) {
				return nil, false
			}
		}
		values[seg.name] = value
	}
	if n := len(t); len(path) > n && (n == 0 || !t[n-1].catchAll) {
		return nil, false
	}
	return values, true
}

// before orders templates as WebJobsRouteBuilder does: text before parameters, more constraints
// before fewer, alphabet, then the longer one; so {*rest} of a longer route is asked before the
// route that ends there. Two parameters are equal to the host; here a catch-all comes last.
func (t template) before(u template) int {
	for i := range t {
		if i == len(u) {
			return -1
		}
		a, b := t[i], u[i]
		if a.literal != "" && b.literal != "" {
			if c := strings.Compare(strings.ToLower(a.literal), strings.ToLower(b.literal)); c != 0 {
				return c
			}
			continue
		}
		if c := cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(len(b.constraints), len(a.constraints)),
		); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(u), len(t))
}

func rank(s segment) int {
	switch {
	case s.literal != "":
		return 0
	case s.catchAll:
		return 2
	}
	return 1
}

// match returns the first function that takes method and path, in the host's order. A route whose
// method does not fit is no match, so that the caller answers 404, never 405.
func (a *App) match(method, path string) (Function, map[string]string, bool) {
	segments := splitPath(path)
	for _, f := range a.routed {
		if f.Methods != nil && !slices.Contains(f.Methods, strings.ToUpper(method)) {
			continue
		}
		if values, ok := f.template.match(segments); ok {
			return f, values, true
		}
	}
	return Function{}, nil, false
}

// splitPath returns the decoded segments of an escaped path. One trailing slash counts for nothing,
// and an escaped slash stays as it stands, for it divides nothing.
func splitPath(escaped string) []string {
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	if escaped == "" {
		return nil
	}
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		if decoded, err := url.PathUnescape(s); err == nil && !strings.Contains(decoded, "/") {
			segments[i] = decoded
		}
	}
	return segments
}

// withoutDots removes "." and ".." from an escaped path, escaped dots too, as the host's server does
// before anybody sees the path. It cannot climb above the root.
func withoutDots(escaped string) string {
	if !strings.Contains(escaped, ".") && !strings.Contains(strings.ToLower(escaped), "%2e") {
		return escaped
	}
	var kept []string
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, part := range parts {
		decoded, _ := url.PathUnescape(part)
		last := i == len(parts)-1
		switch decoded {
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
