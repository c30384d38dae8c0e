package mcpfunc

import (
	"log/slog"
	"net/http"
	"time"
)

// Options are what the program decides. Nil Options and the zero value are what a generated project uses. For a
// duration or a number, a negative value turns the limit off, or means no time at all for Grace and Drain.
type Options struct {
	// Prefix begins the paths of the MCP endpoints, health and metrics: with "/tools", a server is at
	// /tools/mcp/{name}. Empty means "/api", which the functions of a generated project have in their
	// routes; "/" means no prefix. The metadata of protected resources (RFC 9728) stay below /.well-known,
	// where clients look for them.
	Prefix string

	Middleware []func(http.Handler) http.Handler // wraps the App; the first is the outermost
	Launcher   Launcher                          // starts the processes of servers; nil means ExecLauncher

	// Auth decides who may use the servers. Nil means what the file says for each server; a Server written in
	// Go then accepts anyone who reaches the App. If Auth is set, the file may not name an auth method other
	// than "none": New returns an error for it.
	Auth Auth

	// Logger receives the log. Nil means JSON at Config.LogLevel and above, the way the Functions host files
	// it: warnings and errors on stderr, everything else on stdout.
	Logger *slog.Logger
	// LogMessages logs every message between the App and its servers at any log level: the first 4 KiB of
	// each, without secrets. The app setting MCPFUNC_DEBUG=wire does the same.
	LogMessages bool

	Grace       time.Duration // for each step of stopping a process: closed stdin, then SIGTERM; zero means 3 s
	Drain       time.Duration // for calls to finish when the App is closed; zero means 10 s
	StreamLimit time.Duration // maximum age of one SSE stream, less than the host's functionTimeout; zero means 25 min
	Starts      int           // processes that may start at the same time; zero means four per processor

	// Observer is told about every call, for traces and metrics. Nil means none, at no cost.
	Observer Observer

	// SessionKeys seal the ids of sessions, so that every instance with the same keys can serve a session
	// that another one opened. They are 32 bytes each, in base64 or hexadecimal, separated by commas. The
	// first key seals; every key opens. Empty means the app setting MCPFUNC_SESSION_KEY; without that, an id
	// is valid on this instance only. They are secret.
	SessionKeys string
	// RedisURL, redis:// or rediss://, names the server by which instances tell each other which of them owns a
	// session, which sessions have ended, and what streams have sent. Empty means the app setting
	// MCPFUNC_REDIS_URL. Without that, an id whose session ended on one instance is accepted by others until
	// it is too old, and a stream can be resumed on its own instance only. It is secret.
	RedisURL string
	// Development says that the App runs on a developer's machine: web pages from this machine may call it,
	// requests must use the host localhost unless AllowedHosts says otherwise, and identity providers on this
	// machine are accepted. Functions tools say the same with AZURE_FUNCTIONS_ENVIRONMENT=Development.
	Development bool

	transport http.RoundTripper // to identity providers; tests set it
	budget    int64             // bytes of large messages; tests set it
}
