package policy

import (
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Sifts reports whether Sift may have something to do with answers to this method.
func (p *Policy) Sifts(method string) bool {
	l := about(method)
	return l.how == lists && (p.kinds[l.kind].active || l.kind == tools && p.pin != PinOff)
}

// Sift cuts out of an answer to a list what callers may not know of, and changes no other byte. It may be
// called only by the sole owner of the answer. seen, which may be nil, learns which tools the process has.
//
// Where an answer has the list twice, or an element its name, by whatever reader's rules, each of them counts:
// an element stays if all of its names may be known. One without a name does not stay.
func (p *Policy) Sift(method string, answer *message.Message, seen *Inventory) {
	if !p.Sifts(method) || answer.Kind() != message.Response {
		return
	}
	l := about(method)
	text := answer.Bytes()
	var cuts []message.Span
	for result := range below(text, message.Whole(text), "result") {
		for elements := range below(text, result, l.key) {
			cuts = p.cuts(cuts, text, elements, l, seen)
		}
	}
	if len(cuts) > 0 {
		answer.Cut(cuts)
	}
}

// cuts appends what has to go of one list: with an element that goes, what parts it from another.
func (p *Policy) cuts(cuts []message.Span, text []byte, elements message.Span, l use, seen *Inventory) []message.Span {
	kept, last := false, message.Span{} // whether an element before stays, and where the last one before is
	gone := message.Span{}              // a run of elements that go; empty without one
	for at := range message.Elements(text, elements) {
		switch stays := p.stays(text, at, l, seen); {
		case !stays && gone.To == 0 && kept:
			gone = message.Span{From: last.To, To: at.To} // with the comma in front
		case !stays && gone.To == 0:
			gone = at
		case !stays:
			gone.To = at.To
		case gone.To > 0:
			if !kept { // with the comma behind
				gone.To = at.From
			}
			cuts = append(cuts, gone)
			gone = message.Span{}
			fallthrough
		default:
			kept = true
		}
		last = at
	}
	if gone.To > 0 {
		cuts = append(cuts, gone)
	}
	return cuts
}

// stays reports whether an element stays in its list.
func (p *Policy) stays(text []byte, at message.Span, l use, seen *Inventory) bool {
	r := &p.kinds[l.kind]
	var names []string
	named, visible := false, true
	for key, value := range message.Members(text, at) {
		if !strings.EqualFold(key, l.name) {
			continue
		}
		name, ok := message.String(text, value)
		named = named || key == l.name
		visible = visible && ok && (l.kind == tools && r.visible(name) || l.kind != tools && p.visible(l.kind, name))
		names = append(names, name)
	}
	switch {
	case r.active && !(named && visible):
		return false
	case l.kind == tools && p.pin != PinOff:
		return p.compare(text, at, names, seen) || p.pin == PinWarn
	}
	return true
}

// Mutes reports whether a notification of the process is kept from the client: it is about a resource that
// must not be known.
func (p *Policy) Mutes(m *message.Message) bool {
	if !p.kinds[resources].active || m.Kind() != message.Notification || m.Envelope().Method() != "notifications/resources/updated" {
		return false
	}
	uri, ok := m.URI()
	return !ok || !p.visible(resources, uri)
}
