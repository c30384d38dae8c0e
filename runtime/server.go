package mcpfunc

import (
	"context"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A Server describes one stdio MCP server. Only Name and Command are required: for everything else the zero
// value is a default, which the comment names. Where a number or a duration is a limit, a negative value is
// none.
type Server struct {
	Name       string            // segment of its URL, /api/mcp/{Name}: letters, digits, "-" and "_"
	Command    string            // a program on the process's PATH, or a path relative to Dir
	Args       []string          // as they are; there is no shell
	Env        map[string]string // set for the process, over everything inherited
	InheritEnv []string          // names or globs that may pass from the app's environment besides the usual
	Dir        string            // working directory; empty means the app's own

	// EnvFromHeaders and EnvFromClaims set variables that are each caller's own, by the header that carries
	// them, or by the claim of the caller's verified token; with Options.Auth, of TokenInfo.Extra. A request
	// without one of them is refused, and one with another value has another session and process.
	EnvFromHeaders, EnvFromClaims map[string]string

	Description string // shown on the landing page

	Sandbox Sandbox // what its process may reach

	StartTimeout   time.Duration // to its first answer; zero 30 s
	RequestTimeout time.Duration // of one call; zero none
	MaxRestarts    int           // within ten minutes; zero 3, negative none: the session ends when its process dies

	// Framing says how messages are told apart on the process's pipes: "newline", which is MCP,
	// "content-length", which is a header before each, or "auto": lines are written, and what the process
	// writes is followed. Empty means "auto".
	Framing string
	// Era says which protocol versions the server speaks: "legacy" those with sessions, up to 2025-11-25,
	// "modern" those without, from 2026-07-28 on, "both", or "auto": a process of it is asked, once. Empty
	// means "auto".
	Era string
	// OnLost says what becomes of a session whose process is gone with what it remembered: because the
	// session slept, or was evicted, or because the request has reached another instance of the app.
	// "resurrect": another process is told what the client said at the beginning, and takes it over.
	// "notify": the same, and the client is told that lists may have changed. "404": it is over, and the
	// client begins anew. Empty means "resurrect" if Stateless, if all tools say that they are read-only or
	// idempotent, or if there are none, and "404" otherwise.
	OnLost string

	IdleTimeout     time.Duration // of a session that nobody uses; zero 1 h
	HibernateAfter  time.Duration // of idleness, for the process of a session that another one may take over; zero 5 min
	MaxAge          time.Duration // of a session that no process serves; zero 24 h
	MaxSessions     int           // zero: as many as the app may have
	MaxPerCaller    int           // sessions of one caller, where callers are known; zero 8
	Prewarm         int           // processes started ahead, where they hold nothing of a caller; zero none
	Stateless       bool          // a process remembers nothing between calls that another one would miss
	RejectClientIDs bool          // refuse session ids that clients choose themselves
	AuditArguments  []string      // arguments of tools that a line of the audit shows
	InjectTrace     bool          // tell the process the trace of a request by "_meta" even where the client does not; see Observer
	RequireSession  bool          // refuse requests that come without a session and do not open one

	noFork bool         // of the file
	fork   *forkable    // nil where none of its processes may be forked
	forks  *child.Forks // starts them; nil for none

	method config.Auth // of the file; read when Options.Auth is nil
	line   int         // of the file

	manifest   config.Manifest
	source     manifest.Source // what the manifest knows it by
	lock, tree string          // of what was packed, where it starts from that

	// What the file says about the server's tools, prompts and resources, and what pack has pinned; nil where
	// nothing is.
	access config.Access
	pins   map[string]string

	// What is not said by a Server written in Go: why a file's cannot be served, who could use it without
	// being known, and which variables it was written with.
	fault     error
	public    func(prefix string) error
	refused   func(process.Refusal) // told what its sandbox refuses; nil: nobody asks
	variables []config.Variable
}

// Auth decides who may use the servers of an App, in place of what the file says of each. Its methods are
// called from many goroutines at once.
type Auth interface {
	// Verify says whose token this is, for every request, and once more for one that is still being answered when
	// the token ends. token is empty when the request has none.
	// To refuse, it returns an *AuthError; any other error is answered with 500 and stays in the
	// log. TokenInfo.UserID is what sessions belong to, and must not be empty.
	Verify(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error)
	// Environ returns variables for the process of a new session of this caller.
	Environ(ctx context.Context, token string, caller *auth.TokenInfo) (map[string]string, error)
}
