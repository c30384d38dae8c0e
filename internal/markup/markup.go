// Package markup writes HTML from fixed pieces and texts. It replaces html/template, which calls methods by
// name: a linker then keeps every exported method of every type, and a handler would be two thirds larger.
package markup

import (
	"html"
	"strings"
)

// Fixed is HTML that is part of the program. Constants become Fixed by themselves and variables do
// not, so that no text of someone else's is taken for one by accident.
type Fixed string

// A Page is a page in the making.
type Page struct{ b strings.Builder }

// Add appends a piece, with texts in place of each {} in it, in their order. Texts are escaped for
// where they may stand: between tags, and in attribute values between double quotes. They may stand
// nowhere else: not within script, style or a comment, and not where an attribute is a URL, a script
// or a style. Add panics unless there are as many texts as places.
func (p *Page) Add(piece Fixed, texts ...string) {
	rest := string(piece)
	for _, text := range texts {
		before, after, ok := strings.Cut(rest, "{}")
		if !ok {
			panic("markup: more texts than places in " + string(piece))
		}
		p.b.WriteString(before)
		// NUL is not a character of HTML, and what a browser makes of it depends on where it stands.
		p.b.WriteString(html.EscapeString(strings.ReplaceAll(text, "\x00", "\uFFFD")))
		rest = after
	}
	if strings.Contains(rest, "{}") {
		panic("markup: fewer texts than places in " + string(piece))
	}
	p.b.WriteString(rest)
}

// String returns the page.
func (p *Page) String() string { return p.b.String() }
