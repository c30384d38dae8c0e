package markup

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// hostile are texts that would be markup, or leave the attribute that they stand in.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `" onmouseover="alert(1)`, `' onmouseover='alert(1)`,
	`</code><script>`, `<!--`, `-->`, `]]>`, `&lt;b&gt;`, `&#34;`, "\x00<b>", "a\x00\"b", `{}`, "\u2028<\u2029", "\xff<b\xff>", "`", `</pre >`,
}

func FuzzTextStaysText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "plain")
		f.Add("plain", text)
	}
	f.Fuzz(func(t *testing.T, inside, attribute string) {
		var p Page
		p.Add(`<p><b data-x="{}">{}</b></p>`, attribute, inside)
		root, err := html.Parse(strings.NewReader(p.String()))
		if err != nil {
			t.Fatal(err)
		}
		var tags []string
		for n := range root.Descendants() {
			switch n.Type {
			case html.ElementNode:
				tags = append(tags, n.Data)
				if n.Data == "b" && (len(n.Attr) != 1 || n.Attr[0].Key != "data-x" || n.Attr[0].Val != read(attribute)) {
					t.Errorf("%q became the attributes %q", attribute, n.Attr)
				}
			case html.TextNode:
				if n.Data != read(inside) {
					t.Errorf("%q became the text %q", inside, n.Data)
				}
			default:
				if n.Type == html.CommentNode {
					t.Errorf("%q became a comment", inside)
				}
			}
		}
		if got := strings.Join(tags, " "); got != "html head body p b" {
			t.Errorf("%q and %q became the elements %s", inside, attribute, got)
		}
	})
}

// read is a text as a browser reads it: line breaks are newlines.
func read(text string) string {
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

func TestTextsAndPlacesMustBeAsMany(t *testing.T) {
	t.Parallel()
	for _, texts := range [][]string{{}, {"a"}, {"a", "b", "c"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d texts for two places: no panic", len(texts))
				}
			}()
			new(Page).Add("<p>{}</p><p>{}</p>", texts...)
		}()
	}
}
