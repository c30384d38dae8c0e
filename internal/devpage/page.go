package devpage

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/markup"
)

//go:embed assets/page.html
var page string

// render makes the page for a browser that calls us by this origin: all that is known before anything
// happens in sessions.
func (p *Page) render(origin string) string {
	above, below, _ := strings.Cut(page, "<!-- servers -->\n")
	var out markup.Page
	out.Add(markup.Fixed(above), p.look)
	out.Add("<ul id=\"server-list\" class=\"choices\">\n")
	for _, s := range p.opts.Servers {
		out.Add(`<li><button type="button" data-server="{}" aria-controls="server-{}"><span class="dot"></span>`+
			`<span class="name">{}</span> <span class="state muted"></span></button></li>`+"\n", s.Name, s.Name, s.Name)
	}
	out.Add("</ul>\n<div>\n")
	for _, s := range p.opts.Servers {
		p.server(&out, s, origin)
	}
	out.Add("</div>\n")
	out.Add(markup.Fixed(below))
	return out.String()
}

// server is what there is to know of one server.
func (p *Page) server(out *markup.Page, s Server, origin string) {
	name, url := s.Name, origin+s.Path
	out.Add(`<article id="server-{}" data-server="{}" data-path="{}"`, name, name, s.Path)
	needed := []string{}
	for _, c := range credentials(s) {
		needed = append(needed, c.header)
	}
	headers, _ := json.Marshal(needed) // strings can be written
	out.Add(` data-headers="{}"`, string(headers))
	out.Add(` aria-labelledby="server-{}-title">
<div class="title"><h3 id="server-{}-title">{}</h3><p class="state muted"></p></div>
`, name, name, name)
	if s.Description != "" {
		out.Add("<p class=\"description\">{}</p>\n", s.Description)
	}
	out.Add(`<dl class="facts">
<dt>Endpoint</dt><dd><code>{}</code> <button type="button" class="copy" data-copy="{}">Copy<span class="hidden"> the endpoint of {}</span></button>`, url, url, name)
	if name == p.opts.Default {
		out.Add(` <span class="muted">also at <code>{}</code></span>`, p.opts.DefaultPath)
	}
	out.Add(`</dd>
<dt class="live" hidden>Command</dt><dd class="live" hidden><code class="command"></code></dd>
<dt class="live" hidden>Speaks</dt><dd class="live era" hidden></dd>
</dl>
<section class="clients" aria-labelledby="connect-{}">
<h4 id="connect-{}">Connect a client</h4>
<div class="row">
`, name, name)
	for i, snippet := range snippets(s, url) {
		out.Add(`<details name="connect-{}"`, name)
		if i == 0 {
			out.Add(" open")
		}
		out.Add(`><summary>{} <span class="muted">{}</span></summary>
<div class="snippet"><pre tabindex="0" aria-label="For {}">{}</pre><button type="button" class="copy" data-copy="{}">Copy<span class="hidden"> for {}</span></button></div></details>
`, snippet.Client, snippet.Place, snippet.Client, snippet.Text, snippet.Text, snippet.Client)
	}
	out.Add(`</div>
</section>
<section class="tools live" aria-labelledby="tools-{}" hidden>
<h4 id="tools-{}">Tools</h4>
</section>
</article>
`, name, name)
}
