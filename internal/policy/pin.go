package policy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"strconv"

	"github.com/mcpfunc/mcpfunc/internal/message"
)

// Pin says what becomes of a tool that is not the pinned one.
type Pin uint8

// What may become of it.
const (
	PinOff     Pin = iota // nothing is compared
	PinWarn               // it is reported
	PinEnforce            // it is reported, in no list, and not called
)

// A Drift is a tool of a server that is not as it was pinned.
type Drift struct {
	Tool string
	New  bool   // no tool of that name was pinned
	Is   string // its digest
}

// unpinned are members of a tool that a model is not told.
var unpinned = []string{"_meta", "icons", "execution"}

// Digest returns the digest of what a tool tells a model: of every member but unpinned ones, with its key. It
// is the same for texts that every reader of JSON understands as the same, wherever blanks are, whatever is
// escaped and in which order keys come, and for no others: what is written twice, or in another case, counts
// as it stands.
func Digest(text []byte, tool message.Span) string {
	sum := sha256.New()
	digest(sum, text, tool, unpinned)
	return hex.EncodeToString(sum.Sum(nil))
}

// Says returns the text that Digest is of: the tool without what a model is not told, as it was written.
func Says(text []byte, tool message.Span) []byte {
	said := []byte{'{'}
	open := tool.From + 1 // where what belongs to the next member begins
	for key, value := range message.Members(text, tool) {
		if !slices.Contains(unpinned, key) {
			if len(said) > 1 {
				said = append(said, ',')
			}
			said = append(said, bytes.TrimLeft(text[open:value.To], ", \t\r\n")...)
		}
		open = value.To
	}
	return append(said, '}')
}

// digest writes the canonical form of a value: strings with their length in front, so that none can look like
// what follows it.
func digest(sum hash.Hash, text []byte, at message.Span, without []string) {
	str := func(s string) { io.WriteString(sum, strconv.Itoa(len(s))+":"+s) }
	switch text[at.From] {
	case '{':
		type member struct {
			key   string
			value message.Span
		}
		var members []member
		for key, value := range message.Members(text, at) {
			if !slices.Contains(without, key) {
				members = append(members, member{key, value})
			}
		}
		slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
		io.WriteString(sum, "{")
		for _, m := range members {
			str(m.key)
			digest(sum, text, m.value, nil)
		}
		io.WriteString(sum, "}")
	case '[':
		io.WriteString(sum, "[")
		for element := range message.Elements(text, at) {
			digest(sum, text, element, nil)
		}
		io.WriteString(sum, "]")
	case '"':
		s, _ := message.String(text, at)
		str(s)
	default:
		io.WriteString(sum, "="+string(text[at.From:at.To])+";")
	}
}

// compare reports whether an element of a list of tools, which has these names, is the pinned tool, and tells
// seen and any listener.
func (p *Policy) compare(text []byte, at message.Span, names []string, seen *Inventory) bool {
	is := Digest(text, at)
	same := len(names) == 1 && p.pins[names[0]] == is
	for _, name := range names {
		seen.note(name, same)
		if !same {
			p.drift(Drift{Tool: name, New: p.pins[name] == "", Is: is})
		}
	}
	return same
}

// maxDrifts bounds how many changed tools of a server are remembered, and told of.
const maxDrifts = 1000

// drift reports that a tool is not the pinned one, unless that was said before.
func (p *Policy) drift(d Drift) {
	p.mu.Lock()
	_, known := p.drifted[d]
	known = known || len(p.drifted) == maxDrifts
	if !known {
		p.drifted[d] = struct{}{}
	}
	p.mu.Unlock()
	if !known && p.report != nil {
		p.report(d)
	}
}

// Drifted returns the names of the tools that were not the pinned ones, in order. p may be nil.
func (p *Policy) Drifted() []string {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for d := range p.drifted {
		names = append(names, d.Tool)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
