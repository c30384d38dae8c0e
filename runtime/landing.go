package mcpfunc

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
)

// root answers at "/": at once and small, because the Functions host asks here whether the app is
// up. A browser gets a page: in development that of mcpfunc dev, if that started the app. Otherwise
// nothing of the latter exists.
func (a *App) root(w http.ResponseWriter, r *http.Request) {
	if a.page.Takes(r) {
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
	landingPage.Execute(w, a.landing())
}

// A landing is what the landing page says: what the app is called, and where its endpoints are.
type landing struct {
	Name, Version string // of the program; empty if the build does not say
	Default       string
	Style         template.CSS
	Servers       []landingServer
}

type landingServer struct{ Name, Path, Description string }

func (a *App) landing() landing {
	l := landing{Default: a.fallback().spec.Name, Style: landingStyle}
	if info, ok := debug.ReadBuildInfo(); ok {
		l.Name, l.Version = path.Base(info.Main.Path), info.Main.Version
	}
	for _, s := range a.servers {
		l.Servers = append(l.Servers, landingServer{s.spec.Name, s.path(), s.spec.Description})
	}
	return l
}

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

var landingPage = template.Must(template.New("landing").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{with .Name}}{{.}}: {{end}}MCP servers</title>
<link rel="icon" href="data:,">
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{with .Name}}{{.}}{{else}}MCP servers{{end}}</h1>
<p>{{with .Version}}{{.}} · {{end}}endpoints for MCP clients, over streamable HTTP</p>
<dl>
{{range .Servers}}<div><dt>{{.Name}}</dt><dd><code>{{.Path}}</code>{{if eq .Name $.Default}} <span class="muted">and</span> <code>/api/mcp</code>{{end}}</dd>{{with .Description}}<dd class="muted">{{.}}</dd>{{end}}</div>
{{end}}</dl>
</main>
</body>
</html>
`))
