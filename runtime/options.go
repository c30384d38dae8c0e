package mcpfunc

import (
	"log/slog"
	"net/http"
	"time"
)

// Options are what the program says; nil and the zero value are what the scaffolder uses. For a duration or a
// number, a negative value is none: no grace, no limit.
type Options struct {
	// Prefix is what the paths of MCP, health and metrics begin with: "/tools" puts the servers at
	// /tools/mcp/{name}. Empty means "/api", which the functions of a scaffolded project have in their
	// routes, and "/" means nothing. The metadata of protected resources stay below /.well-known, where
	// clients look for them.
	Prefix     string
	Middleware []func(http.Handler) http.Handler // around everything; the first is outermost
	Launcher   Launcher                          // starts the servers' processes; nil means ExecLauncher

	// Auth decides who may use the servers. Nil means what the file says of each, and for a Server written
	// in Go anybody who reaches the App. With it the file may name no auth method but "none": another would
	// be ignored, and New says so.
	Auth Auth

	Logger *slog.Logger // nil means JSON from Config.LogLevel on: warnings and errors on stderr, the rest on stdout, as the Functions host files them
	// LogMessages logs every message between the App and its servers, whatever level the log has: the first
	// 4 KiB of it, without secrets. The app setting MCPFUNC_DEBUG is "wire" for the same.
	LogMessages bool

	Grace       time.Duration // that a process gets on each rung when it is stopped; zero 3 s
	Drain       time.Duration // that calls get to finish when the App is closed; zero 10 s
	StreamLimit time.Duration // of one SSE answer, below the host's functionTimeout; zero 25 min
	Starts      int           // processes starting at a time; zero four times the processors

	// Observer hears of every call, for traces and metrics. Nil means nobody, which costs nothing.
	Observer Observer

	// SessionKeys seal the ids of sessions, so that every instance that has the keys can serve a
	// session that another one opened: 32 bytes each in base64, with commas between them. The first
	// seals, all open. Empty means what the app setting MCPFUNC_SESSION_KEY says, and without that that
	// ids are good on this instance alone. It is a secret.
	SessionKeys string
	// RedisURL is of a server by which instances tell each other which sessions clients have ended, and
	// what streams have said: redis:// or rediss://. Empty means what the app setting MCPFUNC_REDIS_URL
	// says, and without that that an id that was ended on one instance may still be used on another until
	// it is too old, and that a stream can be resumed on its own instance alone. It is a secret.
	RedisURL string
	// Development says that the App runs on a developer's machine: web pages of this machine may
	// call it, requests must name it by localhost if AllowedHosts says nothing else, and identity providers
	// on it are believed. The Functions tools say the same by AZURE_FUNCTIONS_ENVIRONMENT.
	Development bool

	transport http.RoundTripper // to identity providers; tests set it
	budget    int64             // bytes of large messages; tests set it
}
