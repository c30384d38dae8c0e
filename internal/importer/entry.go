package importer

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// An object is an entry while it is changed. What is not changed stays as it is written, comments and
// blanks included.
type object struct {
	*hujson.Object
	changed bool
}

// get returns the value of a member, or nil; null counts as absent.
func (o *object) get(name string) *hujson.Value {
	i := o.index(name)
	if i < 0 || o.Members[i].Value.Value.Kind() == 'n' {
		return nil
	}
	return &o.Members[i].Value
}

func (o *object) index(name string) int {
	return slices.IndexFunc(o.Members, func(m hujson.ObjectMember) bool { return text(m.Name) == name })
}

// str returns the value of a member that is a string.
func (o *object) str(name string) (string, bool) {
	if v := o.get(name); v != nil {
		return asString(*v)
	}
	return "", false
}

// drop takes a member out.
func (o *object) drop(name string) {
	for i := o.index(name); i >= 0; i = o.index(name) {
		o.Members = slices.Delete(o.Members, i, i+1)
		o.changed = true
	}
}

// put sets a member, behind the others if it is new.
func (o *object) put(name string, v hujson.ValueTrimmed) {
	o.changed = true
	if i := o.index(name); i >= 0 {
		o.Members[i].Value.Value = v
		return
	}
	m := hujson.ObjectMember{Name: hujson.Value{Value: hujson.String(name)}, Value: hujson.Value{Value: v}}
	if len(o.Members) == 0 {
		m.Value.BeforeExtra = hujson.Extra(" ")
	} else {
		first := o.Members[0]
		m.Name.BeforeExtra, m.Value.BeforeExtra = blanks(first.Name.BeforeExtra), blanks(first.Value.BeforeExtra)
		if len(m.Name.BeforeExtra) == 0 {
			m.Name.BeforeExtra = hujson.Extra(" ")
		}
		// A comment behind the last member stays with it.
		if after := []byte(o.AfterExtra); len(bytes.TrimSpace(after)) > 0 {
			end := max(bytes.LastIndexByte(after, '\n'), len(bytes.TrimRight(after, " \t\r\n")))
			m.Name.BeforeExtra = append(bytes.TrimRight(after[:end:end], " \t\r\n"), m.Name.BeforeExtra...)
			o.AfterExtra = after[end:]
		}
	}
	o.Members = append(o.Members, m)
}

// putBehind sets a member, right behind another if it is new.
func (o *object) putBehind(before, name string, v hujson.ValueTrimmed) {
	i := o.index(before)
	if i < 0 || i == len(o.Members)-1 || o.index(name) >= 0 {
		o.put(name, v)
		return
	}
	o.changed = true
	next := o.Members[i+1]
	m := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: blanks(next.Name.BeforeExtra), Value: hujson.String(name)},
		Value: hujson.Value{BeforeExtra: blanks(next.Value.BeforeExtra), Value: v},
	}
	if len(m.Name.BeforeExtra) == 0 {
		m.Name.BeforeExtra = hujson.Extra(" ")
	}
	o.Members = slices.Insert(o.Members, i+1, m)
}

// blanks is the indentation that an extra ends in, with the newline before it.
func blanks(extra hujson.Extra) hujson.Extra {
	if i := bytes.LastIndexByte(extra, '\n'); i >= 0 {
		extra = extra[i:]
	}
	if len(bytes.TrimSpace(extra)) > 0 {
		return nil
	}
	return slices.Clone(extra)
}

// rename gives a member another name.
func (o *object) rename(from, to string) {
	if i := o.index(from); i >= 0 {
		o.Members[i].Name.Value = hujson.String(to)
		o.changed = true
	}
}

// text is the string that a value is, or "".
func text(v hujson.Value) string {
	s, _ := asString(v)
	return s
}

func asString(v hujson.Value) (string, bool) {
	if l, ok := v.Value.(hujson.Literal); ok && l.Kind() == '"' {
		return l.String(), true
	}
	return "", false
}

// asNumber returns the value of a number, also in quotes.
func asNumber(v hujson.Value) (float64, bool) {
	l, ok := v.Value.(hujson.Literal)
	if !ok {
		return 0, false
	}
	switch l.Kind() {
	case '0':
		return l.Float(), true
	case '"':
		return parseNumber(l.String())
	}
	return 0, false
}

func isTrue(v *hujson.Value) bool  { return v != nil && v.Value.Kind() == 't' }
func isFalse(v *hujson.Value) bool { return v != nil && v.Value.Kind() == 'f' }

// asStrings returns the strings of a list, and false if it is not a list of strings.
func asStrings(v *hujson.Value) ([]string, bool) {
	if v == nil {
		return nil, false
	}
	array, ok := v.Value.(*hujson.Array)
	if !ok {
		return nil, false
	}
	list := make([]string, len(array.Elements))
	for i, e := range array.Elements {
		if list[i], ok = asString(e); !ok {
			return nil, false
		}
	}
	return list, true
}

// stringList is a list on one line.
func stringList(list []string) *hujson.Array {
	array := &hujson.Array{}
	for i, s := range list {
		v := hujson.Value{Value: hujson.String(s)}
		if i > 0 {
			v.BeforeExtra = hujson.Extra(" ")
		}
		array.Elements = append(array.Elements, v)
	}
	return array
}

// command is the command line of an entry.
func (o *object) command() (program string, args []string) {
	program, _ = o.str("command")
	args, _ = asStrings(o.get("args"))
	return strings.TrimSpace(program), args
}

// setCommand writes another command line. Arguments that are the end of those that were there stay as
// they are written.
func (o *object) setCommand(program string, args []string) {
	if now, _ := o.str("command"); now != program {
		o.put("command", hujson.String(program))
	}
	v := o.get("args")
	old, ok := asStrings(v)
	switch {
	case ok && slices.Equal(old, args):
	case ok && len(args) < len(old) && len(args) > 0 && slices.Equal(old[len(old)-len(args):], args):
		array := v.Value.(*hujson.Array)
		first := array.Elements[0].BeforeExtra
		array.Elements = array.Elements[len(old)-len(args):]
		array.Elements[0].BeforeExtra = first
		o.changed = true
	case len(args) == 0:
		o.drop("args")
	default:
		o.putBehind("command", "args", stringList(args))
	}
}

// raw is the text of the value, with the indentation of the line that it begins on taken off.
func raw(v hujson.Value, indent string) []byte {
	v.BeforeExtra, v.AfterExtra = nil, nil
	lines := strings.Split(string(v.Pack()), "\n")
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimPrefix(line, indent)
		}
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return []byte(strings.Join(lines, "\n"))
}
