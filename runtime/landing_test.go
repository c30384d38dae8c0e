package mcpfunc

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// What a configuration says of its servers is text on the page, whatever it is.
func TestLandingPageShowsTextsAsTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `</dd></dl><script src=//x>`, `"><b onclick='x'>`, `<!-- c -->`,
		`&lt;b&gt;`, `{}`, "\x00<b>", `<style>*{display:none}</style>`, `a & b "c" 'd'`,
	} {
		s := self("fake")
		s.Description = text
		_, srv := newApp(t, &Config{Servers: []Server{s}}, nil)
		_, _, body := get(t, srv.URL, "", map[string]string{"Accept": "text/html"})
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for n := range root.Descendants() {
			switch {
			case n.Type == html.CommentNode:
				t.Errorf("%q became a comment", text)
			case n.Type == html.ElementNode && !strings.Contains(" html head meta link title style body main h1 p dl div dt dd code span ", " "+n.Data+" "):
				t.Errorf("%q became <%s>", text, n.Data)
			case n.Type == html.ElementNode && n.Data == "dd" && n.FirstChild != nil && n.FirstChild.Type == html.TextNode:
				texts = append(texts, n.FirstChild.Data)
			}
		}
		if want := strings.ReplaceAll(text, "\x00", "\uFFFD"); len(texts) != 1 || texts[0] != want {
			t.Errorf("%q is shown as %q", text, texts)
		}
	}
}
