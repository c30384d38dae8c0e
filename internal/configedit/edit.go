// Package configedit edits mcp_config.json as text: what an edit does not mean keeps every byte, with
// its comments, its indentation and its line ends. It is for commands; an app only reads.
package configedit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// AddServer returns data with one more server, behind those that are there: in the servers object
// that config.Parse would read, or in a new "mcpServers" if that is missing. It follows the file in
// its indentation, its line ends and its trailing commas, and leaves every other byte as it is. The
// result parses, and holds the servers of data and the new one.
//
// Errors are *config.Error without a path. A name that is taken is one, and so is anything that
// config.Parse finds in the result, be it in the entry or elsewhere in the file; its line is then one
// of the result.
func AddServer(data []byte, name string, entry Entry) ([]byte, error) {
	d, err := outline(data)
	if err != nil {
		return nil, err
	}
	if err := d.accepts(name); err != nil {
		return nil, err
	}
	body, err := entry.value(name)
	if err != nil {
		return nil, err
	}
	edited := d.spliced(d.add(name, body))
	if _, err := config.Parse("", edited, nil); err != nil {
		return nil, err
	}
	return edited, nil
}

// RemoveServer returns data without the server of that name, the comments on the lines directly
// above it and the one behind it on its last line. Every other byte stays, but for the comma that
// has nothing to separate any more. The file need not be sound otherwise, so that a broken entry
// can be removed; a server that "runtime.default_server" names cannot. Errors are *config.Error
// without a path.
func RemoveServer(data []byte, name string) ([]byte, error) {
	d, err := outline(data)
	if err != nil {
		return nil, err
	}
	if d.Err != nil {
		return nil, d.Err
	}
	i := slices.IndexFunc(d.Servers, func(m config.Member) bool { return m.Name == name })
	if i < 0 {
		e := &config.Error{Line: d.line(d.Object), Server: name, Err: errors.New("is not in the file")}
		names := make([]string, len(d.Servers))
		for i, m := range d.Servers {
			names[i] = m.Name
		}
		if s := config.Nearest(name, names); s != "" {
			e.Hint = fmt.Sprintf("did you mean %q?", s)
		}
		return nil, e
	}
	if err := d.spares(name); err != nil {
		return nil, err
	}
	return d.spliced(d.remove(d.Object, i)), nil
}

// A document is a file to edit.
type document struct{ *config.Layout }

func outline(data []byte) (document, error) {
	l, err := config.Outline(data)
	return document{l}, err
}

// line numbers the line on which a value begins, from 1.
func (d document) line(v hujson.Value) int { return sort.SearchInts(d.Lines, v.StartOffset+1) }

// accepts says why a server of that name cannot be added.
func (d document) accepts(name string) error {
	if e := (*config.Error)(nil); errors.As(config.CheckName(name), &e) {
		e.Line = d.line(d.Root)
		if d.Shape != "" {
			e.Line = d.line(d.Object)
		}
		return e
	}
	for _, m := range d.Servers {
		if strings.EqualFold(m.Name, name) {
			return &config.Error{
				Line: d.line(m.At), Server: m.Name, Err: errors.New("already exists in the file"), Hint: "remove it first, or choose another name",
			}
		}
	}
	return nil
}

// spares says why a server cannot be removed.
func (d document) spares(name string) error {
	value := find(find(d.Root, "runtime"), "default_server")
	if literal, ok := value.Value.(hujson.Literal); ok && literal.Kind() == '"' && literal.String() == name {
		return &config.Error{
			Line: d.line(value), Key: "runtime.default_server", Err: fmt.Errorf("names %q, so that server cannot be removed", name),
			Hint: "change it to another server first",
		}
	}
	return nil
}

// find returns the value of that name in an object, or nothing. Null is as good as absent.
func find(object hujson.Value, name string) hujson.Value {
	if o, ok := object.Value.(*hujson.Object); ok {
		for _, m := range o.Members {
			if m.Name.Value.(hujson.Literal).String() == name && m.Value.Value.Kind() != 'n' {
				return m.Value
			}
		}
	}
	return hujson.Value{}
}

// A splice replaces the bytes from at to end.
type splice struct {
	at, end int
	with    string
}

// spliced returns the document's file with the splices made. None may overlap; of those at one
// offset the first comes first.
func (d document) spliced(splices []splice) []byte {
	slices.SortStableFunc(splices, func(a, b splice) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	out.WriteString(d.Mark)
	done := 0
	for _, s := range splices {
		out.Write(d.Text[done:s.at])
		out.WriteString(s.with)
		done = s.end
	}
	out.Write(d.Text[done:])
	return out.Bytes()
}

// add places one entry.
func (d document) add(name string, entry value) []splice {
	st := d.style()
	if d.Shape != "" {
		// If the last entry is on one line, so is the next.
		if there := d.Object.Value.(*hujson.Object).Members; len(there) > 0 {
			last := there[len(there)-1].Value
			st.flat = bytes.IndexByte(d.Text[last.StartOffset:last.EndOffset], '\n') < 0
		}
		return d.append(d.Object, name, entry, st)
	}
	servers := pairs{{name, entry}}
	for _, m := range d.Root.Value.(*hujson.Object).Members {
		if m.Name.Value.(hujson.Literal).String() == string(config.ShapeMCPServers) { // null, or it would be the shape
			st.flat = !d.spread()
			text := st.render(servers, indentOf(d.Text, m.Name.StartOffset))
			return []splice{{m.Value.StartOffset, m.Value.EndOffset, text}}
		}
	}
	return d.append(d.Root, string(config.ShapeMCPServers), servers, st)
}

// append places a member behind those of an object.
func (d document) append(v hujson.Value, name string, body value, st style) []splice {
	object := v.Value.(*hujson.Object)
	brace := v.EndOffset - 1
	begin := brace - len(object.AfterExtra)
	outer := indentOf(d.Text, v.StartOffset)

	// Behind the last member and the comment on its line. What else is commented there, be it an
	// entry that is switched off so, stays last; but in an object without members it comes first.
	lines := stretches(object.AfterExtra, begin)
	at, closes := max(begin, lines[0].commentEnd), len(lines) > 1
	if len(object.Members) == 0 {
		for _, l := range lines {
			at = max(at, l.commentEnd)
		}
		closes = closes && lines[len(lines)-1].start >= at
	}

	var splices []splice
	var after string
	indent, own := outer+st.unit, len(lines) > 1
	if n := len(object.Members); n > 0 {
		last := object.Members[n-1]
		if beginsLine(d.Text, last.Name.StartOffset) {
			indent, own = indentOf(d.Text, last.Name.StartOffset), true
		}
		if last.Value.AfterExtra != nil {
			after = ","
		} else {
			splices = append(splices, splice{last.Value.EndOffset, last.Value.EndOffset, ","})
		}
	} else if !own {
		own = d.spread()
	}

	if !own {
		st.flat = true
		before := st.space
		if len(object.Members) == 0 {
			before = ""
		}
		text := before + st.member(name, body, indent) + after
		return append(splices, splice{at, at, text})
	}
	text := st.newline + indent + st.member(name, body, indent) + after
	if closes {
		return append(splices, splice{at, at, text})
	}
	return append(splices, splice{at, brace, text + st.newline + outer})
}

// remove takes out the member of that index with what belongs to it.
func (d document) remove(v hujson.Value, index int) []splice {
	object := v.Value.(*hujson.Object)
	member := object.Members[index]
	isLast := index == len(object.Members)-1
	trailing := isLast && member.Value.AfterExtra != nil

	above := stretches(member.Name.BeforeExtra, member.Name.StartOffset-len(member.Name.BeforeExtra))
	behind, extra := member.Value.EndOffset, object.AfterExtra
	if !isLast {
		extra = object.Members[index+1].Name.BeforeExtra
	}
	if !isLast || trailing {
		behind += len(member.Value.AfterExtra) + len(",")
	}
	below := stretches(extra, behind)

	last := below[len(below)-1]
	if isLast && index == 0 && !slices.ContainsFunc(below, stretch.commented) && !above[0].commented() && attached(above) <= 1 {
		return []splice{{v.StartOffset + 1, last.next, ""}} // nothing is left but blanks
	}

	var splices []splice
	comma := -1 // in front of the member, once nothing follows it
	if isLast && !trailing && index > 0 {
		before := object.Members[index-1].Value
		comma = before.EndOffset + len(before.AfterExtra)
		splices = append(splices, splice{comma, comma + 1, ""})
	}

	own := len(above) > 1
	if own {
		first := above[attached(above)]
		switch {
		case below[0].broken:
			return append(splices, splice{first.start, below[0].next, ""})
		case isLast:
			return append(splices, splice{first.start, behind, ""})
		}
		// The next one is on the same line, and moves up.
		return append(splices, splice{first.content, below[0].content, ""})
	}
	switch {
	case comma >= 0:
		splices[0].end = member.Value.EndOffset
		return splices
	case trailing && index > 0:
		return append(splices, splice{above[0].start, behind, ""})
	case below[0].broken && !isLast:
		return append(splices, splice{above[0].content, below[0].end, ""})
	}
	return append(splices, splice{above[0].content, below[0].content, ""})
}

// attached returns the index of the first of the lines above a member that are its comments: no
// blank line stands between, and none is the rest of what precedes.
func attached(above []stretch) int {
	k := len(above) - 1
	for k > 1 && above[k-1].commented() {
		k--
	}
	return k
}
