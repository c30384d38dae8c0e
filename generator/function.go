package generator

import (
	"slices"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A function is one function.json: a route that the host lets through to the handler.
//
// The host checks keys by route and then passes on the path as it came, so a route is a guard. No
// two functions here match one path, and none matches "..%2f": a catch-all beside a key-guarded
// route would let an encoded slash choose the weaker guard. The host tries
// routes in an order that is not ours to choose.
type function struct {
	Name    string // folder name; a letter first, then letters, digits, "-" and "_"
	Route   string // ASP.NET route template; host.json sets an empty prefix
	Methods []string
	Level   AuthLevel
}

// serverPrefix begins the folder of every server, and no other folder of ours begins with it: a
// server may be called "health", or "con".
const serverPrefix = "mcp-"

// mcpMethods are what MCP endpoints hear of. HEAD is refused there, by the handler: the host's own
// answer to a method that is not listed is 404, which says that there is no such server.
var mcpMethods = []string{"get", "head", "post", "delete", "options"}

// serverFunction serves /api/mcp/NAME and one more segment of letters: sse and message, the pair of
// endpoints of MCP 2024-11-05.
func serverFunction(server string, level AuthLevel) function {
	return function{
		Name:    serverPrefix + server,
		Route:   "api/mcp/" + server + "/{endpoint:alpha?}",
		Methods: mcpMethods,
		Level:   level,
	}
}

// defaultFunctions serve /api/mcp and the pair of MCP 2024-11-05 below it: the default server, and so
// guarded as that is. Three functions, because one with a parameter would also take what is meant
// for a server.
func defaultFunctions(level AuthLevel) []function {
	return []function{
		{Name: "mcp", Route: "api/mcp", Methods: mcpMethods, Level: level},
		{Name: "sse", Route: "api/mcp/sse", Methods: []string{"get", "head", "options"}, Level: level},
		{Name: "message", Route: "api/mcp/message", Methods: []string{"post", "head", "options"}, Level: level},
	}
}

// metadataFunction serves RFC 9728 metadata. It is how a client without a token finds out where to
// get one, so it is open; browsers ask for it across origins, hence options.
func metadataFunction() function {
	return function{
		Name:    "well-known",
		Route:   ".well-known/oauth-protected-resource/{*resource}",
		Methods: []string{"get", "options"},
		Level:   LevelAnonymous,
	}
}

// healthFunction is open because what asks for it (the platform's health check, a load balancer)
// cannot hold a key, and because its answer says no more than whether there is room.
func healthFunction() function {
	return function{Name: "health", Route: "api/health", Methods: []string{"get", "head"}, Level: LevelAnonymous}
}

// landingFunction serves "/". The route is a parameter that must be empty, because the host takes an
// empty template for "the function's name". The page names the servers, so it is guarded as the most
// guarded of them.
func landingFunction(level AuthLevel) function {
	return function{Name: "landing", Route: "{root:maxlength(0)?}", Methods: []string{"get", "head"}, Level: level}
}

// sessionMetricsFunction and metricsFunction tell how much the app is used, which no one
// may learn without a key: never anonymous, whatever guards the servers.
func sessionMetricsFunction(level AuthLevel) function {
	return function{Name: "session-metrics", Route: "api/session_metrics", Methods: []string{"get"}, Level: level}
}

func metricsFunction(level AuthLevel) function {
	return function{Name: "metrics", Route: "api/metrics", Methods: []string{"get"}, Level: level}
}

// functions returns the functions of p, one for each enabled server and those that every app has.
func (p Project) functions() []function {
	strictest, tokens := LevelAnonymous, false
	var fs []function
	for _, s := range p.Config.Enabled() {
		level := p.level(s)
		strictest = stricter(strictest, level)
		tokens = tokens || guardedByTokens(s)
		fs = append(fs, serverFunction(s.Name, level))
	}
	if s, ok := p.Config.Default(); ok {
		fs = append(fs, defaultFunctions(p.level(s))...)
	}
	if tokens {
		fs = append(fs, metadataFunction())
	}
	operators := stricter(LevelFunction, p.AuthLevel)
	return append(fs,
		healthFunction(),
		landingFunction(strictest),
		metricsFunction(operators),
		sessionMetricsFunction(operators),
	)
}

// level is the key gate of one server. A token-guarded server is open to the host, whose own 401
// carries no challenge and would hide where to get a token; the handler verifies every request. A
// level that was asked for stands for every server, for clients that send a key as well.
func (p Project) level(s config.Server) AuthLevel {
	switch {
	case p.AuthLevel != "":
		return p.AuthLevel
	case guardedByTokens(s):
		return LevelAnonymous
	default:
		return LevelFunction
	}
}

func guardedByTokens(s config.Server) bool {
	return s.Auth.Method == config.AuthAzureOBO || s.Auth.Method == config.AuthOAuth2Bearer
}

// levels holds the key gates, the loosest first.
var levels = []AuthLevel{LevelAnonymous, LevelFunction, LevelAdmin}

func stricter(a, b AuthLevel) AuthLevel {
	if slices.Index(levels, b) > slices.Index(levels, a) {
		return b
	}
	return a
}

// renderings returns every function that a plan of ours can have put into the folder of that name,
// at any level: what Stale takes for ours.
func renderings(folder string) []function {
	var fs []function
	for _, level := range levels {
		all := append(defaultFunctions(level),
			landingFunction(level), metricsFunction(level), sessionMetricsFunction(level),
			metadataFunction(), healthFunction())
		if server, ok := serverOf(folder); ok {
			all = append(all, serverFunction(server, level))
		}
		for _, f := range all {
			if f.Name == folder {
				fs = append(fs, f)
			}
		}
	}
	return fs
}
