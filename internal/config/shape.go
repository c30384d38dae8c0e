package config

import "errors"

// An outline is a document with its servers object found and nothing inside it read.
type outline struct {
	doc     *Document
	root    node
	top     []member // of the file
	mcp     []member // of the top-level "mcp"; nil without one
	servers node
	shape   Shape   // empty when there is no servers object
	others  []Shape // that are there as well, and lose
}

// outlined finds the servers object. The shapes are tried in their order; null is as good as absent.
func outlined(d *Document) (*outline, error) {
	o := &outline{doc: d, root: node{doc: d, val: d.Root}}
	var err error
	if o.top, err = o.root.members(); err != nil {
		return nil, err
	}
	if mcp, ok := find(o.top, "mcp"); ok && mcp.val.Value.Kind() == '{' {
		if o.mcp, err = mcp.members(); err != nil {
			return nil, err
		}
	}
	for _, candidate := range []struct {
		shape Shape
		in    []member
		name  string
	}{
		{ShapeMCPServers, o.top, "mcpServers"},
		{ShapeServers, o.top, "servers"},
		{ShapeMCPDotMany, o.mcp, "servers"},
		{ShapeMCPDotOne, o.mcp, "server"},
	} {
		m, ok := find(candidate.in, candidate.name)
		switch {
		case !ok:
		case o.shape == "":
			o.shape, o.servers = candidate.shape, m.node
			if m.val.Value.Kind() != '{' {
				return nil, m.fail("must be an object, not %s", kind(m.val))
			}
		default:
			o.others = append(o.others, candidate.shape)
		}
	}
	return o, nil
}

// lacksServers is the error of a file without a servers object.
func (o *outline) lacksServers() error {
	e := &Error{Path: o.doc.Path, Line: o.root.line(), Err: errors.New(`contains no servers: want "mcpServers", "servers", "mcp.servers" or "mcp.server"`)}
	for _, m := range o.top {
		if k := Nearest(m.name, []string{string(ShapeMCPServers), string(ShapeServers)}); k != "" {
			e.Line = m.at.line()
			return e.hint("write %q instead of %q on this line", k, m.name)
		}
	}
	return e.hint(`put the servers into {"mcpServers": {...}}`)
}

// find returns the member of that name, unless its value is null.
func find(members []member, name string) (member, bool) {
	for _, m := range members {
		if m.name == name && !m.null() {
			return m, true
		}
	}
	return member{}, false
}
