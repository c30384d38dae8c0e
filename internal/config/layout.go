package config

import "github.com/tailscale/hujson"

// A Layout says where the servers are in a file, for code that edits it as text.
type Layout struct {
	*Document
	Shape   Shape    // of Servers; empty when there is no servers object
	Servers []Member // in the order of the file
	Object  hujson.Value
	Err     error // why the servers cannot be told apart: there is no object, or a name is there twice
}

// A Member is a named value of an object.
type Member struct {
	Name      string
	At, Value hujson.Value // At is the name
}

// Outline finds the servers object that Parse would read, and reads nothing inside it. Every error is
// an *Error without a path.
func Outline(data []byte) (*Layout, error) {
	d, err := Read("", data)
	if err != nil {
		return nil, err
	}
	o, err := outlined(d)
	if err != nil {
		return nil, err
	}
	l := &Layout{Document: d, Shape: o.shape}
	if o.shape == "" {
		l.Err = o.lacksServers()
		return l, nil
	}
	l.Object = o.servers.val
	_, l.Err = o.servers.members()
	fields, err := o.servers.fields()
	for _, f := range fields {
		l.Servers = append(l.Servers, Member{Name: f.name, At: f.at.val, Value: f.val})
	}
	return l, err
}
