package config

import "bytes"

// An Imported is one server of another file.
type Imported struct {
	Name      string
	Raw       []byte     // the entry's object as text, the first line without indentation, the others relative to it
	Server    Server     // as read, without resolving variables
	Variables []Variable // what has to be set before it can run
	Warnings  []Warning
	Err       error // why it cannot be served: an *Error of the other file; nil when it can
}

// Import reads the servers of another client's configuration, in the order of the file, so that
// they can be written elsewhere as they stand. One that cannot be served, a remote one for
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
		// As it stands, with the indentation of its line taken off.
		above := d.text[bytes.LastIndexByte(d.text[:m.at.val.StartOffset], '\n')+1:]
		indent := above[:len(above)-len(bytes.TrimLeft(above, " \t"))]
		lines := bytes.Split(bytes.ReplaceAll(d.text[m.val.StartOffset:m.val.EndOffset], []byte("\r\n"), []byte("\n")), []byte("\n"))
		for i := range lines[1:] {
			lines[1+i] = bytes.TrimPrefix(lines[1+i], indent)
		}
		in := Imported{Name: m.name, Raw: bytes.Join(lines, []byte("\n"))}
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
