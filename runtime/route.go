package mcpfunc

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/streamhttp"
)

// mcpPath is where MCP is served: the default server here, every server below.
func (a *App) mcpPath() string { return a.prefix + "/mcp" }

// route sends a request to its room. It works on the path as it was sent, never on a cleaned one:
// the Functions host checked the access key of the route that it matched, and a path that means
// another one after cleaning must not get there.
func (a *App) route(w http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.EscapedPath()) // the host's routes do not know case
	if strings.Contains(path, "//") {
		notFound(w) // our routes in the host do not match it: it came in by another function
		return
	}
	path = cmp.Or(strings.TrimSuffix(path, "/"), "/")
	if !a.gate(w, r, path) {
		return
	}
	if path == "/" {
		a.root(w, r)
		return
	}
	if rest, ok := strings.CutPrefix(path, wellKnown); ok && (rest == "" || rest[0] == '/') {
		a.wellKnown(w, r, rest)
		return
	}
	rest, ok := strings.CutPrefix(path, strings.ToLower(a.prefix))
	switch {
	case !ok:
		notFound(w)
	case rest == "/health":
		a.health(w, r)
	case rest == "/session_metrics" && reads(r):
		a.sessionMetrics(w, r)
	case rest == "/metrics" && reads(r):
		a.metrics(w, r)
	case rest == "/mcp" || strings.HasPrefix(rest, "/mcp/"):
		a.mcp(w, r, strings.TrimPrefix(strings.TrimPrefix(rest, "/mcp"), "/"))
	default:
		notFound(w)
	}
}

// reads reports whether the host's function of a page of figures takes the method of r. With another one it
// came in by a function whose key is another.
func reads(r *http.Request) bool { return r.Method == http.MethodGet }

func notFound(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "not_found", "There is nothing at this path")
}

// mcp serves what is below mcpPath, in small letters: "", a server, or the two endpoints of HTTP with SSE of either.
func (a *App) mcp(w http.ResponseWriter, r *http.Request, rest string) {
	name, endpoint, _ := strings.Cut(rest, "/")
	if name == "sse" || name == "message" { // no server has such a name
		name, endpoint = "", rest
	}
	key, path := name, a.mcpPath()
	if name == "" {
		key = a.fallback()
	}
	s, reason := a.byName[key], a.reason(key)
	if s == nil && reason == nil || endpoint != "" && endpoint != "sse" && endpoint != "message" {
		notFound(w)
		return
	}
	if !a.door(w, r) {
		return
	}
	if reason != nil {
		answerFault(w, reason)
		return
	}
	if name != "" {
		path = s.path()
	}
	caller, err := s.guards[path].guard.Check(r)
	if err != nil {
		a.refuseUnauthorized(w, r, err)
		return
	}
	own, ok := s.personalOf(w, r, caller)
	if !ok {
		return
	}
	if r.Method == http.MethodPost {
		a.count(1)
		defer a.count(-1)
	}
	who := streamhttp.Caller{Principal: caller.Principal, Client: own.client(caller.ClientID), Source: authn.Source(r), Expires: caller.Expires, Again: caller.Again}
	var same bool
	if who.Passed, same = passed(r, who); !same { // they do not have the same configuration; to the client there is no such session
		a.log.Warn("forwarded request refused: the other instance verified another caller", "path", r.URL.Path)
		notFound(w)
		return
	}
	id := s.anyone
	if id == nil {
		id = a.identify(s, s.guards[path].guard, caller, own)
	}
	who.Value, who.Token = id, id
	switch endpoint {
	case "sse":
		s.endpoint.ServeSSE(w, r, who, path+"/message")
	case "message":
		s.endpoint.ServeMessage(w, r, who)
	default:
		s.endpoint.Serve(w, r, who)
	}
}

// wellKnown serves the metadata of the protected resource at path (RFC 9728).
func (a *App) wellKnown(w http.ResponseWriter, r *http.Request, path string) {
	found := a.metadataOf(path)
	if found == nil {
		// A client that finds no metadata takes the server for one that wants no token.
		if key, ok := strings.CutPrefix(path, strings.ToLower(a.mcpPath())); ok && a.reason(strings.TrimPrefix(key, "/")) != nil {
			answerFault(w, a.reason(strings.TrimPrefix(key, "/")))
			return
		}
		notFound(w)
		return
	}
	auth.ProtectedResourceMetadataHandler(found).ServeHTTP(w, r)
}

// metadataOf returns the metadata of the resource at path, or nil; for the root, of the only
// protected server there is, by the shortest of its addresses.
func (a *App) metadataOf(path string) *resourceMetadata {
	var protected []*server
	for _, s := range a.servers {
		for at, g := range s.guards {
			if g.metadata != nil && strings.ToLower(at) == path {
				return g.metadata
			}
		}
		if s.guards[s.path()].metadata != nil {
			protected = append(protected, s)
		}
	}
	if path != "" || len(protected) != 1 {
		return nil
	}
	only := protected[0]
	if g, ok := only.guards[a.mcpPath()]; ok {
		return g.metadata
	}
	return only.guards[only.path()].metadata
}

var _ authn.Guard = custom{}
