package mcpfunc

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"github.com/mcpfunc/mcpfunc/internal/markup"
)

// root answers at "/": at once and small, because the Functions host asks here whether the app is
// up. A browser gets a page: that of mcpfunc dev in a build that has it, if that started the app.
// Otherwise nothing of the latter exists.
func (a *App) root(w http.ResponseWriter, r *http.Request) {
	if a.page != nil && a.page.Takes(r) {
		a.page.ServeHTTP(w, r)
		return
	}
	if r.URL.Query().Has("dev") {
		notFound(w)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // a key may be in the query
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "mcpfunc: %d MCP servers\n", len(a.servers))
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", landingPolicy)
	io.WriteString(w, a.landing())
}

// landing is the page for a browser: the name of the app, and its endpoints.
func (a *App) landing() string {
	name, version := "", "" // of the program; empty if the build does not say
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		name, version = path.Base(info.Main.Path), info.Main.Version
	}
	var p markup.Page
	p.Add(landingHead)
	if name == "" {
		p.Add("<title>MCP servers</title>\n")
	} else {
		p.Add("<title>{}: MCP servers</title>\n", name)
	}
	p.Add("<style>" + landingStyle + "</style>\n</head>\n<body>\n<main>\n")
	p.Add("<h1>{}</h1>\n<p>", cmp.Or(name, "MCP servers"))
	if version != "" {
		p.Add("{} · ", version)
	}
	p.Add("endpoints for MCP clients, over streamable HTTP</p>\n<dl>\n")
	for _, s := range a.servers {
		p.Add("<div><dt>{}</dt><dd><code>{}</code>", s.spec.Name, s.path())
		if strings.EqualFold(s.spec.Name, a.fallback()) {
			p.Add(` <span class="muted">and</span> <code>{}</code>`, a.mcpPath())
		}
		p.Add("</dd>")
		if s.spec.Description != "" {
			p.Add(`<dd class="muted">{}</dd>`, s.spec.Description)
		}
		if headers := s.own.Headers(); headers != nil {
			p.Add(`<dd class="muted">required headers: <code>{}</code></dd>`, strings.Join(headers, ", "))
		}
		p.Add("</div>\n")
	}
	p.Add("</dl>\n</main>\n</body>\n</html>\n")
	return p.String()
}

const landingHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
`

// landingPolicy allows the page its own style sheet, by its hash, and nothing else.
var landingPolicy = func() string {
	sum := sha256.Sum256([]byte(landingStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

const landingStyle = `
:root { color-scheme: light dark; background: Canvas; color: CanvasText; font: 16px/1.5 system-ui, sans-serif; --muted: #595f66; --line: #e2e2dc; }
@media (prefers-color-scheme: dark) { :root { --muted: #a3a9b0; --line: #30343a; } }
body { max-width: 40rem; margin: 12vh auto 3rem; padding: 0 1.25rem; }
h1 { margin: 0; font-size: 1.35rem; letter-spacing: -.01em; }
p { margin: .2rem 0 2rem; color: var(--muted); }
dl { margin: 0; border-top: 1px solid var(--line); }
div { padding: .8rem 0; border-bottom: 1px solid var(--line); }
dt { font-weight: 600; }
dd { margin: 0; }
code { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.muted { color: var(--muted); }
`
