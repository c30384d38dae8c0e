package hostemu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A template is a parsed ASP.NET route template, read as RoutePatternParser does.
type template []segment

// A segment is what lies between two slashes. More than one part makes it a complex one, such as
// {name}.{ext} or v{n}.
type segment []part

// A part is a piece of text or a parameter: {name}, {name?}, {name=value}, {name:constraint}, {*rest}.
type part struct {
	text        string // of a literal; empty for a parameter
	name        string
	catchAll    bool
	optional    bool
	separator   bool    // the "." before an optional parameter, which may be missing with it
	fallback    *string // of {name=value}
	constraints []constraint
}

func (p part) parameter() bool { return p.name != "" }

// simple returns a segment's part when it has only one.
func (s segment) simple() (part, bool) { return s[0], len(s) == 1 }

// parseTemplate reads a template. The host cannot start with one that is refused here: it does not
// leave out the function, it answers 503 to everything.
func parseTemplate(text string) (template, error) {
	switch {
	case strings.HasPrefix(text, "~/"):
		text = text[2:]
	case strings.HasPrefix(text, "~"):
		return nil, errors.New(`must not begin with "~" unless "/" follows`)
	default:
		text = strings.TrimPrefix(text, "/")
	}
	var t template
	names := map[string]bool{}
	for text != "" {
		if text[0] == '/' {
			return nil, errors.New(`must not contain "//"`)
		}
		s, rest, err := parseSegment(text)
		if err != nil {
			return nil, err
		}
		t = append(t, s)
		text = strings.TrimPrefix(rest, "/")
		for _, p := range s {
			name := strings.ToLower(p.name)
			if p.catchAll && text != "" {
				return nil, fmt.Errorf("{*%s} must be the last segment", p.name)
			}
			if p.parameter() && names[name] {
				return nil, fmt.Errorf("parameter %q appears twice", p.name)
			}
			names[name] = true
		}
	}
	return t, nil
}

// parseSegment reads up to the next slash that is not inside a parameter.
func parseSegment(text string) (s segment, rest string, err error) {
	for text != "" && text[0] != '/' {
		read := parseLiteral
		if strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "{{") {
			read = parseParameter
		}
		var p part
		if p, text, err = read(text); err != nil {
			return nil, "", err
		}
		s = append(s, p)
	}
	for i := range s {
		switch {
		case !s[i].parameter():
		case s[i].catchAll && len(s) > 1:
			return nil, "", fmt.Errorf("{*%s} must be a segment of its own", s[i].name)
		case i > 0 && s[i-1].parameter():
			return nil, "", fmt.Errorf("text must separate {%s} and {%s}", s[i-1].name, s[i].name)
		case s[i].optional && len(s) > 1:
			if i < len(s)-1 || s[i-1].text != "." {
				return nil, "", fmt.Errorf(`{%s?} in a segment with text must be its end and follow a "."`, s[i].name)
			}
			s[i-1].separator = true
		}
	}
	return s, text, nil
}

var errBraces = errors.New("has unbalanced braces")

// parseLiteral reads text up to a slash or a parameter; doubled braces stand for one.
func parseLiteral(text string) (p part, rest string, err error) {
	i := 0
	for ; i < len(text) && text[i] != '/'; i++ {
		if text[i] != '{' && text[i] != '}' {
			continue
		}
		switch {
		case strings.HasPrefix(text[i+1:], text[i:i+1]):
			i++
		case text[i] == '}' || i+1 == len(text):
			return part{}, "", errBraces
		default: // a parameter begins
			p, err := literal(text[:i])
			return p, text[i:], err
		}
	}
	p, err = literal(text[:i])
	return p, text[i:], err
}

func literal(text string) (part, error) {
	if strings.Contains(text, "?") {
		return part{}, fmt.Errorf(`%q must not contain "?"`, text)
	}
	return part{text: single(text)}, nil
}

// single replaces doubled braces by one.
func single(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "}}", "}"), "{{", "{")
}

// parseParameter reads {…} up to the closing brace that is not doubled.
func parseParameter(text string) (p part, rest string, err error) {
	end := 0
	for i := 1; end == 0; i++ {
		switch {
		case i == len(text):
			return part{}, "", errBraces
		case text[i] != '{' && text[i] != '}':
		case strings.HasPrefix(text[i+1:], text[i:i+1]):
			i++
		case text[i] == '{':
			return part{}, "", errBraces
		default:
			end = i
		}
	}
	p, err = readParameter(single(text[1:end]))
	if err != nil {
		return part{}, "", fmt.Errorf("%s: %w", text[:end+1], err)
	}
	return p, text[end+1:], nil
}

// readParameter reads what is between the braces, as RouteParameterParser does.
func readParameter(text string) (part, error) {
	var p part
	if strings.HasPrefix(text, "*") && strings.HasSuffix(text, "?") {
		return p, errors.New("a catch-all cannot be optional")
	}
	if rest, ok := strings.CutPrefix(text, "*"); ok {
		p.catchAll, text = true, strings.TrimPrefix(rest, "*")
	}
	text, p.optional = strings.CutSuffix(text, "?")
	p.name = text
	if len(text) > 0 {
		if i := strings.IndexAny(text[1:], ":="); i >= 0 { // at the start it belongs to the name
			p.name, text = text[:i+1], text[i+1:]
		} else {
			text = ""
		}
	}
	if p.name == "" || strings.ContainsAny(p.name, "/{}?*") {
		return p, fmt.Errorf("invalid parameter name %q", p.name)
	}
	constraints, text := cutConstraints(text)
	for _, c := range constraints {
		accepts, err := parseConstraint(c)
		if err != nil {
			return p, err
		}
		p.constraints = append(p.constraints, accepts)
	}
	if value, ok := strings.CutPrefix(text, "="); ok {
		if p.optional {
			return p, errors.New("an optional parameter cannot have a default")
		}
		p.fallback = &value
	}
	return p, nil
}

// cutConstraints takes :a:b(c) apart and returns what follows, which is empty or begins with "=". A
// parenthesis holds ":" and "=" together if it is closed at all; it ends only before ":", "=" or the
// end, so that regex(a)b) is one constraint.
func cutConstraints(text string) (list []string, rest string) {
	for strings.HasPrefix(text, ":") {
		text = text[1:]
		end := len(text)
		if i := strings.IndexAny(text, ":=("); i >= 0 {
			if end = i; text[i] == '(' {
				end = closeOf(text, i)
			}
		}
		list, text = append(list, text[:end]), text[end:]
	}
	return slices.DeleteFunc(list, func(c string) bool { return c == "" }), text
}

// closeOf returns where the constraint ends whose parenthesis opens at open.
func closeOf(text string, open int) int {
	for i := open + 1; i < len(text); i++ {
		switch text[i] {
		case ')':
			if i+1 == len(text) || text[i+1] == ':' || text[i+1] == '=' {
				return i + 1
			}
		case ':', '=':
			next := strings.IndexByte(text[i+1:], ')')
			if next < 0 {
				return i
			}
			i += next // the parenthesis is looked at next
		}
	}
	return len(text)
}
