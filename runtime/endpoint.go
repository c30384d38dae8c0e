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

	"github.com/mcpfunc/mcpfunc/internal/admission"
	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/authn"
	"github.com/mcpfunc/mcpfunc/internal/broker"
	"github.com/mcpfunc/mcpfunc/internal/child"
	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/framing"
	"github.com/mcpfunc/mcpfunc/internal/policy"
	"github.com/mcpfunc/mcpfunc/internal/pool"
	"github.com/mcpfunc/mcpfunc/internal/process"
	"github.com/mcpfunc/mcpfunc/internal/session"
	"github.com/mcpfunc/mcpfunc/internal/streamhttp"
)

// A server is one MCP server as the App serves it.
type server struct {
	spec     Server // with defaults
	base     string // App.mcpPath
	endpoint *streamhttp.Endpoint
	env      authn.Env          // that the guard of its own path was made with
	policy   *policy.Policy     // nil: callers see and may use everything
	own      authenv.FromCaller // what of a request is in its process's environment
	guards   map[string]guarded // by path: its own, and /api/mcp for the default server
	anyone   *identity          // of every request, where callers are all alike and their processes are granted nothing; else nil
}

// guarded is a path with who may use it.
type guarded struct {
	guard    authn.Guard
	metadata *resourceMetadata // nil when clients bring no token
}

func (s *server) path() string { return s.base + "/" + s.spec.Name }

// grant says which tokens the processes of s may have.
func (s *server) grant(caller func() *authn.Caller) broker.Grant {
	return broker.Grant{Server: s.spec.Name, Auth: s.spec.method, Env: s.env, Caller: caller}
}

// newServer checks a server and makes its guards.
func (a *App) newServer(spec Server) (*server, error) {
	fault := func(key, format string, args ...any) error {
		return &ConfigError{Key: key, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case spec.fault != nil:
		return nil, spec.fault
	case !validName(spec.Name):
		return nil, fault("", `invalid name %q: want letters, digits, "-" and "_", at most 63, with a letter or digit first, and neither "sse" nor "message"`, spec.Name)
	case spec.Command == "":
		return nil, fault("command", "command is missing")
	case !slices.Contains([]string{"auto", "newline", "content-length"}, spec.Framing):
		return nil, fault("framing", `invalid framing %q: want "auto", "newline" or "content-length"`, spec.Framing)
	case !slices.Contains([]string{"", "auto", "legacy", "modern", "both"}, spec.Era):
		return nil, fault("era", `invalid era %q: want "auto", "legacy", "modern" or "both"`, spec.Era)
	case !slices.Contains([]string{"", "resurrect", "notify", "404"}, spec.OnLost):
		return nil, fault("sessions.on_lost", `invalid on_lost %q: want "resurrect", "notify" or "404"`, spec.OnLost)
	}
	if spec.access.Pin == config.PinEnforce && spec.pins == nil {
		return nil, &ConfigError{
			Key: "tools.pin", Err: errors.New(`tools.pin is "enforce", but no tool of this server is pinned: none could be served`),
			Hint: "run mcpfunc pack, which starts the server and records its tools",
		}
	}
	if spec.Dir != "" {
		if info, err := os.Stat(spec.Dir); err != nil || !info.IsDir() {
			return nil, a.withoutValues(spec, fault("working_dir", "the working directory %s is not a directory", spec.Dir))
		}
	}
	if a.prefix != defaultPrefix && spec.public != nil {
		if err := typed(spec.public(a.prefix)); err != nil {
			return nil, err
		}
	}
	if spec.method.Method == "" {
		spec.method.Method = config.AuthNone
	}
	if method := spec.method.Method; a.opts.Auth != nil && method != config.AuthNone {
		return nil, &ConfigError{
			Key: "auth", Err: fmt.Errorf("the method %s and Options.Auth are both set", method), Hint: "remove one of them",
		}
	}
	if err := a.checkSandbox(spec); err != nil {
		return nil, err
	}
	s := &server{spec: spec, base: a.mcpPath(), guards: map[string]guarded{}}
	var err error
	if s.own, err = a.fromCaller(spec); err != nil {
		return nil, err
	}
	s.env = a.authEnv(s.path())
	paths := []string{s.path()}
	if strings.EqualFold(spec.Name, a.fallback()) {
		paths = append(paths, a.mcpPath())
	}
	for _, path := range paths {
		g, err := a.guard(spec, path)
		if err != nil {
			return nil, a.ofAuth(spec, err)
		}
		s.guards[path] = g
	}
	if a.opts.Auth == nil && a.opts.Observer == nil && spec.method.Method == config.AuthNone && !s.own.Any() {
		s.anyone = a.identify(s, s.guards[s.path()].guard, &authn.Caller{}, nil)
	}
	if a.opts.Auth == nil {
		if err := a.broker.Check(s.grant(nil)); err != nil {
			return nil, a.ofAuth(spec, err)
		}
		if spec.method.ForwardUserToken {
			a.log.Warn("server receives the user's token, which MCP advises against", "server", spec.Name, "key", "forward_user_token")
		}
	}
	return s, nil
}

// ofAuth makes a ConfigError of one about a server's auth.
func (a *App) ofAuth(spec Server, err error) error {
	if _, ok := err.(*ConfigError); ok {
		return err
	}
	return a.withoutValues(spec, &ConfigError{Key: "auth", Err: err})
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
	spec.forks = a.forks(spec)
	run := &child.Spec{
		Name: spec.Name, Identity: identityOf(spec), Framing: framing.Mode(spec.Framing), Launch: a.launch(spec), Runner: runner(spec),
		MaxMessage: a.cfg.MaxResponseBytes, StartTimeout: spec.StartTimeout, CallTimeout: spec.RequestTimeout,
		Inject: spec.InjectTrace, Answered: a.answered(spec),
		Grace: a.opts.Grace, Restart: spec.MaxRestarts > 0, MaxRestarts: spec.MaxRestarts, Prewarm: a.prewarm(spec), MostPrewarm: a.mostPrewarm(spec),
	}
	limits := admission.Limits{Max: spec.MaxSessions, MaxPerPrincipal: spec.MaxPerCaller}
	s.policy = a.policyOf(spec)
	s.endpoint = &streamhttp.Endpoint{
		Table: a.table, Pools: a.pools, Log: a.log,
		MaxBody: a.cfg.MaxRequestBytes, Budget: a.budget, Keepalive: a.cfg.Keepalive, MaxStream: a.opts.StreamLimit, HostLimit: a.cfg.functionTimeout,
		Calls: a.observer(s), WantsArguments: len(spec.AuditArguments) > 0 && a.audited(spec),
		ClientIDs: !spec.RejectClientIDs, Anonymous: !spec.RequireSession,
		Server: &session.Server{
			Spec: run, Limits: limits, Idle: spec.IdleTimeout,
			OnLost: session.OnLost(spec.OnLost), Hibernate: spec.HibernateAfter, MaxAge: spec.MaxAge, Policy: s.policy,
		},
		Pool:   &pool.Server{Spec: run, Limits: limits, Idle: spec.IdleTimeout, Era: pool.Era(spec.Era), Workers: poolWorkers, Policy: s.policy},
		Strict: s.policy.Strict(),
	}
	if s.anyone == nil {
		s.endpoint.Refuse = func(owner, caller any) (http.Handler, error) { return owner.(*identity).refuse(caller) }
	}
	if s.policy.Requires() {
		s.endpoint.Forbid = s.forbid
	}
	a.connectKnown(s)
	if a.instance != nil {
		s.endpoint.Forwarder = forwarder{a.instance}
	}
	a.starter.Prewarm(run)
}

// launch returns what starts a process of this server: the app's launcher, with the environment
// that this caller's process may see.
func (a *App) launch(spec Server) func(context.Context, any) (process.Process, error) {
	spec.refused = a.learner(spec)
	return func(ctx context.Context, caller any) (process.Process, error) {
		var granted map[string]string
		if id, ok := caller.(*identity); ok && id != id.server.anyone { // otherwise callers are all alike, or yet to come
			var err error
			if granted, err = id.environ(ctx); err != nil {
				return nil, err
			}
		} else if spec.personal() {
			return nil, errors.New("a process of this server belongs to one caller, and no caller is known")
		}
		env := authenv.Join(a.inherited(spec), spec.Env, granted)
		return a.opts.Launcher.Launch(a.supervisor.With(ctx), spec.withBroker(granted), env)
	}
}

// inherited is what a server's process sees of our environment: no reference to Key Vault that is not
// resolved, which the server would take for the secret.
func (a *App) inherited(spec Server) []string {
	return slices.DeleteFunc(authenv.Base(os.Environ(), spec.InheritEnv), func(v string) bool {
		name, value, _ := strings.Cut(v, "=")
		if !config.Unresolved(value) {
			return false
		}
		a.log.Error("app setting withheld from the server: a Key Vault reference that is not resolved",
			"server", spec.Name, "setting", name, "hint", config.UnresolvedHint)
		return true
	})
}

// prewarm is how many processes of a server may be started ahead: none where a process holds
// something of its caller.
func (a *App) prewarm(spec Server) int {
	if a.opts.Auth != nil || spec.method.Method != config.AuthNone || spec.personal() {
		return 0
	}
	return spec.Prewarm
}

// poolWorkers is how many processes the requests of one caller without a session share, at most.
const poolWorkers = 4

// prewarmFactor bounds how far arrivals raise the number of processes started ahead.
const prewarmFactor = 8

// mostPrewarm is how many processes of a server may be started ahead while many are taken: no more than there
// may be sessions.
func (a *App) mostPrewarm(spec Server) int {
	most := prewarmFactor * a.prewarm(spec)
	for _, limit := range []int{spec.MaxSessions, a.cfg.MaxSessions} {
		if limit > 0 {
			most = min(most, limit)
		}
	}
	return most
}

// identityOf tells what a server runs, with its environment, from what any other does.
func identityOf(spec Server) string {
	hash := sha256.New()
	json.NewEncoder(hash).Encode([]any{spec.Command, spec.Args, spec.Dir, spec.Env, spec.Sandbox})
	return hex.EncodeToString(hash.Sum(nil))
}

// runner returns a key of the package that a package runner would download, or "" if the command is not one.
func runner(spec Server) string {
	switch strings.TrimSuffix(filepath.Base(spec.Command), ".exe") {
	case "uvx", "uv", "npx", "npm", "pnpm", "yarn", "bunx", "bun", "pipx", "deno", "dnx", "dotnet", "docker", "podman":
		return spec.Command + "\x00" + strings.Join(spec.Args, "\x00")
	}
	return ""
}
