package config

import "strings"

// An Imported is one server of another file.
type Imported struct {
	NamedEntry            // with Raw, for AddServer
	Server     Server     // as read, without resolving variables
	Variables  []Variable // what has to be set before it can run
	Warnings   []Warning
	Err        error // why it cannot be served: an *Error of the other file; nil when it can
}

// Import reads the servers of another client's configuration, in the order of the file, so that
// AddServer can write them elsewhere as they stand. One that cannot be served, a remote one for
// example, is among them with its Err; only trouble with the file as a whole is an error.
//
// What VS Code would ask for, ${input:ID}, stays in the entry and is among the Variables by the name
// that Parse reads it from. No value is asked for, and none is copied from anywhere else.
func Import(path string, data []byte) ([]Imported, error) {
	d, err := read(path, data)
	if err != nil {
		return nil, err
	}
	o, err := outlined(d)
	if err != nil {
		return nil, err
	}
	if o.shape == "" {
		return nil, o.lacksServers()
	}
	members, err := o.servers.members()
	if err != nil {
		return nil, err
	}
	list := make([]Imported, len(members))
	seen := make(map[string]member, len(members))
	for i, m := range members {
		p := newParser(o, nil)
		if err := p.inputs(); err != nil {
			return nil, err
		}
		p.file.Warnings = nil // of the file
		m.place(m.name)
		in := Imported{NamedEntry: NamedEntry{Name: m.name, Entry: Entry{Raw: m.lift()}}}
		if in.Err = checkName(m.at, m.name); in.Err == nil {
			in.Err = clash(m, seen)
		}
		if in.Err == nil {
			in.Server, in.Err = p.server(m)
		}
		in.Variables, in.Warnings = p.file.Variables, p.file.Warnings
		list[i] = in
	}
	return list, nil
}

// lift returns the text of a member's value, with the indentation of the member's line taken off.
func (m member) lift() []byte {
	text := m.doc.text
	indent := indentOf(text, m.at.val.StartOffset)
	lines := strings.Split(string(text[m.val.StartOffset:m.val.EndOffset]), "\n")
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimPrefix(line, indent)
		}
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return []byte(strings.Join(lines, "\n"))
}
