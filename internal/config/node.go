package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// A node is one value of a document and its position, so that its reader can say what is
// wrong with it. Its methods return an *Error or nothing.
type node struct {
	doc    *Document
	val    hujson.Value
	server string
	key    string
	vars   *expander // nil where a string is taken as it stands
}

// A member is a named value of an object.
type member struct {
	node
	name string
	at   node // the name itself, for what is wrong with the key and not with its value
}

func (n node) line() int { return n.doc.Line(n.val.StartOffset) }

// fail says what is wrong with the value: a predicate of its key.
func (n node) fail(format string, args ...any) *Error {
	return &Error{Path: n.doc.Path, Line: n.line(), Server: n.server, Key: n.key, Err: fmt.Errorf(format, args...)}
}

// missing says that an object lacks a key.
func (n node) missing(name, format string, args ...any) *Error {
	e := n.fail(format, args...)
	e.Key = join(n.key, name)
	return e
}

// null reports whether the value is null, which for every optional key means that it is absent.
func (n node) null() bool { return n.val.Value.Kind() == 'n' }

// fields returns the members of an object as they stand, duplicates included.
func (n node) fields() ([]member, error) {
	object, ok := n.val.Value.(*hujson.Object)
	if !ok {
		return nil, n.fail("must be an object, not %s", kind(n.val))
	}
	fields := make([]member, 0, len(object.Members))
	for _, m := range object.Members {
		name := m.Name.Value.(hujson.Literal).String()
		field := member{node: n, name: name, at: n}
		field.val, field.key = m.Value, join(n.key, name)
		field.at.val, field.at.key = m.Name, field.key
		fields = append(fields, field)
	}
	return fields, nil
}

// members returns the members of an object, none of which may be written twice: one reader would
// obey the first, another the last.
func (n node) members() ([]member, error) {
	fields, err := n.fields()
	if err != nil {
		return nil, err
	}
	lines := make(map[string]int, len(fields))
	for _, f := range fields {
		if first, twice := lines[f.name]; twice {
			return nil, f.at.fail("is written twice, on lines %d and %d", first, f.at.line())
		}
		lines[f.name] = f.at.line()
	}
	return fields, nil
}

// fields are the keys that an object may have, and how each is read.
type fields map[string]func(member) error

func (f fields) names() []string { return slices.Sorted(maps.Keys(f)) }

// to reads a value into a place.
func to[T any](place *T, read func(node) (T, error)) func(member) error {
	return func(m member) (err error) {
		*place, err = read(m.node)
		return err
	}
}

// unless reads true or false into a place for the opposite.
func unless(place *bool) func(member) error {
	return func(m member) error {
		yes, err := m.flag()
		*place = err == nil && !yes
		return err
	}
}

// readElsewhere is for a key that is read elsewhere.
func readElsewhere(member) error { return nil }

// each reads the members of an object, except those that are null. A key that is not one of the known is given to
// unknown, or is an error if that is nil.
func (n node) each(unknown func(*Error), known fields) error {
	members, err := n.members()
	if err != nil {
		return err
	}
	for _, m := range members {
		switch read := known[m.name]; {
		case read == nil && unknown == nil:
			return unknownKey(m, known.names())
		case m.null():
		case read == nil:
			unknown(unknownKey(m, known.names()))
		default:
			if err := read(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// written returns a string with its variables as they stand.
func (n node) written() string { return n.val.Value.(hujson.Literal).String() }

// text reads a string and resolves its variables.
func (n node) text() (string, error) {
	if n.val.Value.Kind() != '"' {
		return "", n.fail("must be a string, not %s", kind(n.val))
	}
	s := n.written()
	if strings.ContainsRune(s, 0) {
		return "", n.fail("must not contain a NUL character")
	}
	if n.vars == nil {
		return s, nil
	}
	return n.vars.expand(n, s)
}

// filled reads a string that must not be blank.
func (n node) filled() (string, error) {
	s, err := n.text()
	if err == nil && strings.TrimSpace(s) == "" {
		return "", n.fail("must not be empty")
	}
	return s, err
}

// pending reports whether s still holds a variable because nothing is resolved here. No more can
// be said about such a string.
func (n node) pending(s string) bool {
	return n.vars != nil && n.vars.lookup == nil && strings.Contains(s, "${")
}

// choice reads one of a few words.
func choice[T ~string](words ...T) func(node) (T, error) {
	return func(n node) (T, error) {
		s, err := n.text()
		if err != nil || n.pending(s) || slices.Contains(words, T(s)) {
			return T(s), err
		}
		e := n.fail("must be %s, not %q", enumerate(words), n.written())
		if w := Nearest(s, words); w != "" {
			e.hint("did you mean %q?", w)
		}
		return "", e
	}
}

// listOf reads a list of what, and each of its elements by read.
func listOf[T any](n node, what string, read func(node) (T, error)) ([]T, error) {
	array, ok := n.val.Value.(*hujson.Array)
	if !ok {
		return nil, n.fail("must be a list of %s, not %s", what, kind(n.val))
	}
	var all []T
	for _, element := range array.Elements {
		n.val = element
		value, err := read(n)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// texts reads a list of strings.
func (n node) texts() ([]string, error) {
	return listOf(n, "strings", func(element node) (string, error) {
		if element.val.Value.Kind() != '"' {
			return "", element.fail("must be a list of strings, but contains %s", kind(element.val))
		}
		return element.text()
	})
}

// words reads a list of strings none of which is empty or has a blank in it.
func (n node) words() ([]string, error) {
	list, err := n.texts()
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if s == "" || !n.pending(s) && strings.ContainsAny(s, " \t\r\n") {
			return nil, n.fail("must be a list of strings without spaces")
		}
	}
	return list, nil
}

// flag reads true or false.
func (n node) flag() (bool, error) {
	switch n.val.Value.Kind() {
	case 't':
		return true, nil
	case 'f':
		return false, nil
	}
	return false, n.fail("must be true or false, not %s", kind(n.val))
}

// whole reads a whole number from least to most.
func whole[T int | int64](least, most T) func(node) (T, error) {
	return func(n node) (T, error) {
		if n.val.Value.Kind() != '0' {
			return 0, n.fail("must be a whole number, not %s", kind(n.val))
		}
		i, err := strconv.ParseInt(string(n.val.Value.(hujson.Literal)), 10, 64)
		if err != nil || i < int64(least) || i > int64(most) {
			return 0, n.fail("must be a whole number from %d to %d", least, most)
		}
		return T(i), nil
	}
}

// seconds reads a time span in seconds, fractions allowed.
func seconds(least, most int) func(node) (time.Duration, error) {
	return func(n node) (time.Duration, error) {
		if n.val.Value.Kind() != '0' {
			return 0, n.fail("must be a number of seconds, not %s", kind(n.val))
		}
		f, err := strconv.ParseFloat(string(n.val.Value.(hujson.Literal)), 64)
		if err != nil || f < float64(least) || f > float64(most) {
			return 0, n.fail("must be a number of seconds from %d to %d", least, most)
		}
		return time.Duration(math.Round(f * float64(time.Second))), nil
	}
}

// kind names the kind of a value as a person would.
func kind(v hujson.Value) string {
	switch v.Value.Kind() {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "null"
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// enumerate renders `"a", "b" or "c"`.
func enumerate[T ~string](words []T) string {
	last := len(words) - 1
	if last < 1 {
		return quoteAll(words)
	}
	return quoteAll(words[:last]) + " or " + strconv.Quote(string(words[last]))
}

// quoteAll renders `"a", "b"`.
func quoteAll[T ~string](words []T) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(string(w))
	}
	return strings.Join(quoted, ", ")
}
