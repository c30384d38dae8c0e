package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A Redactor takes secrets out of what is about to be shown: those whose values it knows, as they are and as
// JSON and URLs write them, and those that can be told by their form. The nil Redactor takes out nothing. Its
// methods may be called from any goroutine.
type Redactor struct {
	values    []string
	replacers []*strings.Replacer
}

// New returns a Redactor that knows these secrets.
func New(values ...string) *Redactor {
	var v Values
	v.Know(values...)
	return v.Redactor()
}

// Redactor returns a Redactor that knows what was added.
func (v *Values) Redactor() *Redactor {
	r := &Redactor{values: make([]string, 0, len(v.seen))} // longest first, since one may be part of another
	for value := range v.seen {
		r.values = append(r.values, value)
	}
	slices.SortFunc(r.values, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.values))
	for _, value := range r.values {
		pairs = append(pairs, value, Redacted)
	}
	r.replacers = []*strings.Replacer{strings.NewReplacer(pairs...)} // one pass, however many there are
	return r
}

// Redact returns text without secrets.
func (r *Redactor) Redact(text string) string {
	if r == nil {
		return text
	}
	for _, known := range r.replacers {
		text = known.Replace(text)
	}
	return hideShapes(text)
}

// And returns a Redactor that knows what other knows, too. Both may be nil.
func (r *Redactor) And(other *Redactor) *Redactor {
	switch {
	case r == nil:
		return other
	case other == nil:
		return r
	}
	return &Redactor{slices.Concat(other.values, r.values), slices.Concat(other.replacers, r.replacers)}
}

// RedactCut is Redact for the beginning of a text that goes on: a secret that the cut went through is taken
// out as well, and so may be a last word that is not a secret.
func (r *Redactor) RedactCut(text string) string {
	if r == nil {
		return text
	}
	for n := r.begun(text); n > 0; n = r.begun(text) { // one secret may end within another
		text = text[:len(text)-n]
	}
	return r.Redact(uncut(text))
}

// minBegun is how much of a secret tells nothing of it.
const minBegun = 3

// begun returns how many of the last bytes of text are a secret, or begin one that goes on.
func (r *Redactor) begun(text string) int {
	most := 0
	for _, value := range r.values {
		for n := min(len(value), len(text)); n > max(most, minBegun-1); n-- {
			if text[len(text)-n] == value[0] && strings.HasSuffix(text, value[:n]) {
				most = n
			}
		}
	}
	return most
}

// keyBytes is more than a key has that can be told by its end alone.
const keyBytes = 512

// opening is what begins a token or a credential of any length.
var opening = regexp.MustCompile(`eyJ|[a-z]://|gh[pousr]_|github_pat_|glpat-|xox|pypi-|hf_|npm_|\b[sr]k[-_]|PRIVATE KEY`)

// uncut returns text without a last word of which the cut may have taken what tells it.
func uncut(text string) string {
	at := strings.LastIndexAny(text, " \t\r\n\"',;&={}[]()") + 1
	if word := text[at:]; len(word) <= keyBytes || opening.MatchString(word) {
		return text[:at]
	}
	return text
}

// spellings returns text and what writers of JSON and of URLs make of it: in a string of JSON the least that
// must be escaped, "<" for HTML as well, "/" as well, and all that is not ASCII, and each of them in a string
// within a string; in a URL as a query and as a path has it, with large digits and small ones.
func spellings(text string) []string {
	quoted := least(text)
	html, _ := json.Marshal(text) // a string can be written
	var ascii strings.Builder
	for _, c := range quoted {
		if c < utf8.RuneSelf {
			ascii.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&ascii, "\\u%04x", unit)
		}
	}
	all := []string{text}
	for _, written := range []string{quoted, string(html[1 : len(html)-1]), strings.ReplaceAll(quoted, "/", `\/`), ascii.String()} {
		all = append(all, written, least(written))
	}
	for _, escaped := range []string{url.QueryEscape(text), url.PathEscape(text), strings.ReplaceAll(url.QueryEscape(text), "+", "%20")} {
		all = append(all, escaped, percent.ReplaceAllStringFunc(escaped, strings.ToLower))
	}
	return all
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// least is text within a string of JSON, with no more escaped than must be.
func least(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.Encode(text)
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}
