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

// A Server describes one stdio MCP server. Only Name and Command are required: for every other field the zero
// value is a default, which the comment names. Where a number or a duration is a limit, a negative value means
// no limit.
type Server struct {
	Name       string            // part of its URL, /api/mcp/{Name}: up to 63 letters, digits, "-" and "_"
	Command    string            // a program on the process's PATH, or a path relative to Dir
	Args       []string          // passed as they are, without a shell
	Env        map[string]string // variables of the process; override inherited ones
	InheritEnv []string          // names or globs of variables that the process inherits from the app besides the usual ones
	Dir        string            // working directory; empty means the app's

	// EnvFromHeaders and EnvFromClaims map variables of the process to what each caller sends: a header of the
	// request, or a claim of the verified token (with Options.Auth, a member of TokenInfo.Extra). A request
	// without one of them is refused. Each set of values has its own sessions and processes.
	EnvFromHeaders, EnvFromClaims map[string]string

	Description string // shown on the landing page

	Sandbox Sandbox // what the process may reach

	StartTimeout   time.Duration // until the first answer of a process; zero means 30 s
	RequestTimeout time.Duration // of one call; zero means no limit
	MaxRestarts    int           // within ten minutes; zero means 3; negative means none: the session ends when its process dies

	// Framing is how messages are separated on the pipes of the process: "newline", as MCP requires,
	// "content-length", with a header before each message, or "auto", which writes lines and follows what the
	// process writes. Empty means "auto".
	Framing string
	// Era is the protocol versions that the server speaks: "legacy" for those with sessions, up to
	// 2025-11-25, "modern" for those without, from 2026-07-28, "both", or "auto", which asks a process once.
	// Empty means "auto".
	Era string
	// OnLost is what happens to a session whose process has ended with its state, because the session
	// hibernated or was evicted, or because the request reached another instance. "resurrect": another
	// process gets the recorded handshake and takes over the session. "notify": the same, and the client is
	// told that lists may have changed. "404": the session is over, and the client must initialize again.
	// Empty means "resurrect" if Stateless is set, if all tools are marked read-only or idempotent, or if there
	// are no tools, and "404" otherwise.
	OnLost string

	IdleTimeout     time.Duration // until an unused session ends; zero means 1 h
	HibernateAfter  time.Duration // until the process of an idle session ends, if another one may take over; zero means 5 min
	MaxAge          time.Duration // until the id of a session without a process expires; zero means 24 h
	MaxSessions     int           // of this server; zero means up to Config.MaxSessions
	MaxPerCaller    int           // sessions per caller, if callers are authenticated; zero means 8
	Prewarm         int           // processes to start in advance, if they do not depend on the caller; zero means none
	Stateless       bool          // a process keeps nothing between calls that another one would miss
	RejectClientIDs bool          // refuse session ids that clients choose themselves
	AuditArguments  []string      // names of tool arguments that the audit log shows
	InjectTrace     bool          // pass the trace of a request to the process in "_meta", even if the client sends none; see Observer
	RequireSession  bool          // refuse requests that neither belong to a session nor open one

	noFork bool         // of the file
	fork   *forkable    // nil where none of its processes may be forked
	forks  *child.Forks // starts them; nil for none

	method config.Auth // of the file; read when Options.Auth is nil
	line   int         // of the file

	manifest   config.Manifest
	source     manifest.Source // its identity in the manifest
	lock, tree string          // of what was packed, where it starts from that

	// What the file says about the server's tools, prompts and resources, and what pack has pinned; nil where
	// nothing is.
	access config.Access
	pins   map[string]string

	// What is not said by a Server written in Go: why a file's cannot be served, who could use it without
	// being known, and which variables it was written with.
	fault     error
	public    func(prefix string) error
	refused   func(process.Refusal) // told what its sandbox refuses; nil for none
	variables []config.Variable
}

// Auth decides who may use the servers of an App, instead of what the file says for each server. Its methods are
// called from many goroutines at once.
type Auth interface {
	// Verify returns the caller that a token belongs to. It is called for every request, and again for one that
	// is still being answered when its token expires. token is empty if the request does not have one. To
	// refuse the request, Verify returns an *AuthError; any other error is answered with 500, and only the
	// log says why. TokenInfo.UserID must not be empty: sessions belong to it.
	Verify(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error)
	// Environ returns variables for the process of a new session of this caller.
	Environ(ctx context.Context, token string, caller *auth.TokenInfo) (map[string]string, error)
}
