package mcpfunc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/streamhttp"
)

// A server is one MCP server as the App serves it.
type server struct {
	spec     Server
	endpoint *streamhttp.Endpoint
	env      authn.Env          // that the guard of its own path was made with
	guards   map[string]guarded // by path: its own, and /api/mcp for the default server
}

// guarded is a path with who may use it.
type guarded struct {
	guard    authn.Guard
	metadata *resourceMetadata // nil when clients bring no token
}

func (s *server) path() string { return mcpPath + "/" + s.spec.Name }

// grant says for what the processes of s may have tokens.
func (s *server) grant(caller func() *authn.Caller) broker.Grant {
	return broker.Grant{Server: s.spec.Name, Auth: s.spec.method, Env: s.env, Caller: caller}
}

// newServer checks a server and makes its guards.
func (a *App) newServer(spec Server) (*server, error) {
	switch {
	case !validName(spec.Name):
		return nil, errors.New("a name has letters, digits, \"-\" and \"_\", at most 63, and begins with a letter or digit")
	case spec.Command == "":
		return nil, errors.New("the command is missing")
	case !slices.Contains([]Framing{"", DetectFraming, LineFraming, HeaderFraming}, spec.Framing):
		return nil, fmt.Errorf("framing %q is none", spec.Framing)
	case !slices.Contains([]Era{"", DetectEra, LegacyEra, ModernEra, BothEras}, spec.Era):
		return nil, fmt.Errorf("era %q is none", spec.Era)
	case !slices.Contains([]OnLost{DetectLoss, Resurrect, NotifyLoss, RefuseLost}, spec.OnLost):
		return nil, fmt.Errorf("on_lost %q is none", spec.OnLost)
	}
	if spec.Dir != "" {
		if info, err := os.Stat(spec.Dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("the working directory %s is no directory", spec.Dir)
		}
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&spec.StartTimeout, 30*time.Second)
	def(&spec.IdleTimeout, time.Hour)
	def(&spec.HibernateAfter, 5*time.Minute)
	def(&spec.MaxAge, 24*time.Hour)
	if spec.OnLost == DetectLoss && spec.Stateless {
		spec.OnLost = Resurrect
	}
	if spec.MaxRestarts == 0 {
		spec.MaxRestarts = 3
	}
	if spec.MaxPerCaller == 0 {
		spec.MaxPerCaller = 8
	}
	if spec.method.Method == "" {
		spec.method.Method = config.AuthNone
	}
	s := &server{spec: spec, guards: map[string]guarded{}}
	s.env = a.authEnv(s.path())
	paths := []string{s.path()}
	if strings.EqualFold(spec.Name, a.cfg.DefaultServer) || a.cfg.DefaultServer == "" && len(a.servers) == 0 {
		paths = append(paths, mcpPath)
	}
	for _, path := range paths {
		g, err := a.guard(spec, path)
		if err != nil {
			return nil, err
		}
		s.guards[path] = g
	}
	if spec.Auth == nil {
		if err := a.broker.Check(s.grant(nil)); err != nil {
			return nil, err
		}
		if spec.method.ForwardUserToken {
			a.log.Warn("the user's token is handed to the server's process, which MCP advises against", "server", spec.Name, "key", "forward_user_token")
		}
	}
	return s, nil
}

func validName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[0] == '_' || strings.EqualFold(name, "sse") || strings.EqualFold(name, "message") {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_')
	})
}

// connect gives s its endpoint.
func (a *App) connect(s *server) {
	spec := s.spec
	run := &child.Spec{
		Name: spec.Name, Identity: identityOf(spec), Framing: framing.Mode(spec.Framing), Launch: a.launch(spec), Runner: runner(spec),
		MaxMessage: a.cfg.MaxResponseBytes, StartTimeout: spec.StartTimeout, CallTimeout: spec.RequestTimeout,
		Grace: a.opts.Grace, Restart: !spec.NoRestart, MaxRestarts: spec.MaxRestarts, Prewarm: prewarm(spec),
	}
	if spec.Framing == "" {
		run.Framing = framing.Auto
	}
	limits := admission.Limits{Max: spec.MaxSessions, MaxPerPrincipal: spec.MaxPerCaller}
	s.endpoint = &streamhttp.Endpoint{
		Table: a.table, Pools: a.pools, Log: a.log,
		MaxBody: a.cfg.MaxRequestBytes, Budget: a.budget, Keepalive: a.cfg.Keepalive, MaxStream: a.opts.StreamLimit,
		ClientIDs: !spec.RejectClientIDs, Anonymous: !spec.NoAnonymous,
		Refuse: func(owner, caller any) (http.Handler, error) { return owner.(*identity).refuse(caller) },
		Server: &session.Server{
			Spec: run, Limits: limits, Idle: spec.IdleTimeout,
			OnLost: session.OnLost(spec.OnLost), Hibernate: max(0, spec.HibernateAfter), MaxAge: max(0, spec.MaxAge),
		},
		Pool: &pool.Server{Spec: run, Limits: limits, Idle: spec.IdleTimeout, Era: pool.Era(spec.Era)},
	}
	a.starter.Prewarm(run)
}

// launch returns what starts a process of this server: the app's launcher, with the environment
// that this caller's process may see.
func (a *App) launch(spec Server) func(context.Context, any) (process.Process, error) {
	return func(ctx context.Context, caller any) (process.Process, error) {
		var granted map[string]string
		if id, ok := caller.(*identity); ok { // else the process is started ahead, for nobody yet
			var err error
			if granted, err = id.environ(ctx); err != nil {
				return nil, err
			}
		}
		env := authenv.Join(authenv.Base(os.Environ(), spec.InheritEnv), spec.Env, granted)
		return a.opts.Launcher.Launch(a.keeper.With(ctx), spec, env)
	}
}

// prewarm is how many processes of a server may be started ahead: none where a process holds
// something of its caller.
func prewarm(spec Server) int {
	if spec.Auth != nil || spec.method.Method != config.AuthNone {
		return 0
	}
	return spec.Prewarm
}

// identityOf tells what a server runs, with its environment, from what any other does.
func identityOf(spec Server) string {
	hash := sha256.New()
	json.NewEncoder(hash).Encode([]any{spec.Command, spec.Args, spec.Dir, spec.Env})
	return hex.EncodeToString(hash.Sum(nil))
}

// runner returns a key of what a package runner would download, or "" if the command is none.
func runner(spec Server) string {
	switch strings.TrimSuffix(filepath.Base(spec.Command), ".exe") {
	case "uvx", "uv", "npx", "npm", "pnpm", "yarn", "bunx", "bun", "pipx", "deno", "dnx", "dotnet", "docker", "podman":
		return spec.Command + "\x00" + strings.Join(spec.Args, "\x00")
	}
	return ""
}
