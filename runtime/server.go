package mcpfunc

import (
	"context"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Server describes one stdio MCP server. Only Name and Command are required.
type Server struct {
	Name        string            // segment of its URL, /api/mcp/{Name}: letters, digits, "-" and "_"
	Command     string            // a program on the process's PATH, or a path relative to Dir
	Args        []string          // as they are; there is no shell
	Env         map[string]string // set for the process, over everything inherited
	InheritEnv  []string          // names or globs that may pass from the app's environment besides the usual
	Dir         string            // working directory; empty means the app's own
	Description string            // shown on the landing page

	Auth Auth // who may use it; nil means anybody who reaches the app

	StartTimeout   time.Duration // to its first answer; zero 30 s
	RequestTimeout time.Duration // of one call; zero none
	NoRestart      bool          // end the session when its process dies
	MaxRestarts    int           // within ten minutes; zero 3
	Framing        Framing       // empty DetectFraming
	Era            Era           // empty DetectEra

	IdleTimeout     time.Duration // of a session that nobody uses; zero 1 h
	HibernateAfter  time.Duration // of idleness, for the process of a session that another one may take over; zero 5 min, negative never
	MaxAge          time.Duration // of a session that no process serves; zero 24 h, negative no limit
	Stateless       bool          // a process remembers nothing between calls that another one would miss
	OnLost          OnLost        // what becomes of a session whose process is gone; empty DetectLoss
	MaxSessions     int           // zero: as many as the app may have
	MaxPerCaller    int           // sessions of one caller; zero 8, where callers are known
	Prewarm         int           // processes started ahead, where they hold nothing of a caller
	RejectClientIDs bool          // refuse session ids that clients choose themselves
	NoAnonymous     bool          // refuse requests that come without a session

	method config.Auth // of the configuration; read when Auth is nil
}

// A Framing says how messages are told apart on a process's pipes.
type Framing string

// The framings.
const (
	DetectFraming Framing = "auto"           // write lines, and follow what the process writes
	LineFraming   Framing = "newline"        // one message a line: MCP
	HeaderFraming Framing = "content-length" // a Content-Length header before each
)

// An Era says which protocol versions a server speaks: those with sessions, up to 2025-11-25, or
// those without, from 2026-07-28 on.
type Era string

// The eras.
const (
	DetectEra Era = "auto" // ask a process of it, once
	LegacyEra Era = "legacy"
	ModernEra Era = "modern"
	BothEras  Era = "both"
)

// OnLost says what becomes of a session whose process is gone with what it remembered: because the
// session slept, or was evicted, or because the request has reached another instance of the app.
type OnLost string

// What may become of it.
const (
	DetectLoss OnLost = ""          // Resurrect if Stateless, or if all tools say that they are read-only or idempotent; else RefuseLost
	Resurrect  OnLost = "resurrect" // another process is told what the client said at the beginning, and takes it over
	NotifyLoss OnLost = "notify"    // the same, and the client is told that lists may have changed
	RefuseLost OnLost = "404"       // it is over: 404, and the client begins anew
)

// Auth decides who may use a server. Its methods are called from many goroutines at once.
type Auth interface {
	// Verify says whose token this is, for every request. token is empty when the request has none.
	// To refuse, it returns an *AuthError; any other error is answered with 500 and stays in the
	// log. TokenInfo.UserID is what sessions belong to, and must not be empty.
	Verify(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error)
	// Environ returns variables for the process of a new session of this caller.
	Environ(ctx context.Context, token string, caller *auth.TokenInfo) (map[string]string, error)
}

// An AuthError refuses a request. It is answered as {"error":{"code":Code,"message":Message}}.
type AuthError struct {
	Status  int // 401 or 403
	Code    string
	Message string
}

func (e *AuthError) Error() string { return e.Message }
