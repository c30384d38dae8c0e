package mcpfunc

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/config"
	"github.com/mcpfunc/mcpfunc/internal/manifest"
)

// A Config holds what a configuration file says. What the program decides is in Options. LoadConfig reads a
// Config from a file; one written in Go needs only Servers.
type Config struct {
	Servers       []Server // the enabled ones
	DefaultServer string   // name of the server at /api/mcp; empty means the first

	PublicURL      string   // scheme and host that clients use to reach the app; required for OAuth metadata
	AllowedOrigins []string // web pages that may call the app, each as scheme://host[:port]
	AllowedHosts   []string // hosts that requests may name; empty means any

	MaxSessions      int           // of all servers together; zero or negative means no limit but memory
	MaxRequestBytes  int64         // of the body of a POST; zero means 32 MiB; the host's own limit applies if it is less, and negative is invalid
	MaxResponseBytes int64         // of one message of a server; zero means 64 MiB, and negative is invalid
	Keepalive        time.Duration // between comments on a silent stream; zero means 20 s, negative none

	// LogLevel is the level of the log if Options.Logger is nil; zero is slog.LevelInfo. A Logger has its own
	// level.
	LogLevel slog.Level
	// Audit says which calls get a line in the log: "calls" means all, "off" none. Empty means the calls to
	// servers whose callers are authenticated.
	Audit string

	file string // that it was read from

	// What the app settings say: see the fields of Options of the same names.
	sessionKeys, redisURL    string
	development, logMessages bool

	// hosted says that the Functions host has started us: what cannot be served is answered with 503, as the
	// end of a handler is the end of the host. fault is of the configuration as a whole.
	hosted bool
	fault  error

	hostBody        int64         // bytes of a body that the host lets through; zero: not said
	functionTimeout time.Duration // of the host; zero: none

	// platformAuth says that App Service authentication is in front and serves the metadata of
	// the resource: two that tell clients where to sign in would contradict each other. Tokens are
	// verified here all the same, and the headers in which the platform names the user are not
	// believed: without it in front, anyone could set them.
	platformAuth bool

	authorityHost, tenantID string // of Entra ID, as the platform or the app settings say

	hosting *hosting // nil: no Functions host has started us

	notices []notice // to log

	manifest *manifest.File // what servers are known to answer; nil: nothing

	devKey   string   // opens the page of mcpfunc dev, which gave it; empty: there is no page
	resolved []string // values that replaced ${NAME}
}

// LoadConfig reads the configuration file at path; empty means the first well-known file that exists. ${NAME}
// is replaced with the environment variable of that name; an empty variable counts as missing. LoadConfig and
// FunctionsAddr are the only functions of this package that read the environment.
//
// Servers that `mcpfunc pack` has packed next to the file start from their packed form.
//
// The Config also keeps the app settings behind the fields SessionKeys, RedisURL, Development and LogMessages
// of Options. Those fields take precedence.
//
// An error about the file's contents is a *ConfigError.
//
// The Functions host gives up on a handler that exits three times, and then the app cannot say what is wrong. So
// under the host, which sets FUNCTIONS_CUSTOMHANDLER_PORT, LoadConfig does not return an error: Config.Err does,
// and an App created from the Config answers what it cannot serve with 503 and the reason, and serves the
// other servers.
func LoadConfig(path string) (*Config, error) {
	hosted := os.Getenv(portSetting) != ""
	cfg, err := loadConfig(path, hosted)
	if err != nil && hosted {
		return &Config{file: path, hosted: true, fault: err, development: development(os.Getenv)}, nil
	}
	return cfg, err
}

// Err returns why an App cannot serve this Config, or else the first of its servers that it cannot serve. It
// returns nil if no error is known. See LoadConfig.
func (c *Config) Err() error {
	if c.fault != nil {
		return c.fault
	}
	for _, s := range c.Servers {
		if s.fault != nil {
			return s.fault
		}
	}
	return nil
}

// development is what Options.Development says, of the app settings.
func development(getenv func(string) string) bool {
	return getenv("AZURE_FUNCTIONS_ENVIRONMENT") == "Development"
}

// loadConfig is LoadConfig, where each says that what is wrong with one server is left in it.
func loadConfig(path string, each bool) (*Config, error) {
	if path == "" {
		home, _ := os.UserHomeDir()
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		if path, err = config.Discover(dir, home); err != nil {
			return nil, typed(err)
		}
	}
	var resolved []string
	load := config.Load
	if each {
		load = config.LoadEach
	}
	file, err := load(path, func(name string) (string, bool) {
		value := os.Getenv(name)
		resolved = append(resolved, value)
		return value, value != ""
	})
	if err != nil {
		return nil, typed(err)
	}
	cfg, err := fromFile(file, os.Environ(), each)
	if err != nil {
		return nil, typed(err)
	}
	cfg.resolved = resolved
	for _, w := range file.Warnings {
		cfg.notices = append(cfg.notices, notice{w.String(), []any{"hint", w.Hint}})
	}
	if err := cfg.pinTools(path); err != nil {
		return nil, typed(err)
	}
	written, err := config.LoadEach(path, nil) // with ${NAME} as it stands
	if err != nil {
		return nil, typed(err)
	}
	if err := cfg.startPacked(path, written); err != nil {
		return nil, typed(err)
	}
	cfg.loadManifest(filepath.Dir(path), written)
	return cfg, nil
}

// ParseConfig is LoadConfig for the contents of a file. lookup returns the value of a ${NAME}; nil leaves
// ${NAME} as it is. ParseConfig reads no file except those that envFile names, and no environment. An error
// about the contents is a *ConfigError.
func ParseConfig(data []byte, lookup func(name string) (value string, ok bool)) (*Config, error) {
	var resolved []string
	noted := lookup
	if lookup != nil {
		noted = func(name string) (string, bool) {
			value, ok := lookup(name)
			resolved = append(resolved, value)
			return value, ok
		}
	}
	file, err := config.Parse("mcp_config.json", data, noted)
	if err != nil {
		return nil, typed(err)
	}
	cfg, err := fromFile(file, nil, false)
	if err != nil {
		return nil, typed(err)
	}
	cfg.resolved = resolved
	return cfg, nil
}

// The app settings for Options.SessionKeys and Options.RedisURL.
const (
	sessionKeySetting = "MCPFUNC_SESSION_KEY"
	redisSetting      = "MCPFUNC_REDIS_URL"
)

// fromFile makes a Config of a parsed file, with what the platform says of itself. hosted is as in Config.
func fromFile(file *config.File, env environment, hosted bool) (*Config, error) {
	rt, getenv := file.Runtime, env.get
	cfg := &Config{
		DefaultServer: rt.DefaultServer, PublicURL: rt.PublicURL,
		AllowedOrigins: rt.AllowedOrigins, AllowedHosts: rt.AllowedHosts,
		MaxSessions: rt.MaxSessions, MaxRequestBytes: rt.MaxRequestBytes, MaxResponseBytes: rt.MaxResponseBytes,
		Keepalive: orNever(rt.Keepalive),
		Audit:     string(rt.Audit),
		file:      file.Path, hosted: hosted, hostBody: hostBodyLimit(getenv),
		sessionKeys: getenv(sessionKeySetting), redisURL: getenv(redisSetting),
		development: development(getenv),
		logMessages: getenv("MCPFUNC_DEBUG") == "wire",

		platformAuth: strings.EqualFold(getenv("WEBSITE_AUTH_ENABLED"), "true") && getenv("WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES") != "",

		authorityHost: getenv("AZURE_AUTHORITY_HOST"), tenantID: getenv("AZURE_TENANT_ID"),
	}
	cfg.hosting = hostedBy(appRoot(file.Path), env)
	if key := getenv("MCPFUNC_DEV"); cfg.development && len(key) >= minDevKey {
		cfg.devKey = key
	}
	if err := cfg.LogLevel.UnmarshalText([]byte(rt.LogLevel)); err != nil {
		cfg.LogLevel = slog.LevelInfo
	}
	if host := getenv("WEBSITE_HOSTNAME"); cfg.PublicURL == "" && host != "" {
		cfg.PublicURL = "https://" + host
		if loopback(host) {
			cfg.PublicURL = "http://" + host
		}
	}
	if hosted {
		cfg.functionTimeout = functionTimeout(appRoot(file.Path), env)
	}
	for _, s := range file.Enabled() {
		server, err := fromEntry(file, s, env)
		if err != nil && !hosted {
			return nil, err
		}
		if err != nil {
			server = Server{Name: s.Name, line: s.Line, fault: typed(err)}
		}
		cfg.Servers = append(cfg.Servers, server)
	}
	return cfg, nil
}

func fromEntry(file *config.File, s config.Server, env environment) (Server, error) {
	if s.Fault != nil {
		return Server{}, s.Fault
	}
	public := func(prefix string) error { return refusePublic(file, s, prefix, env) }
	if err := public(defaultPrefix); err != nil {
		return Server{}, err
	}
	server := Server{
		Name: s.Name, Command: s.Command, Args: s.Args, Env: s.Env, InheritEnv: s.InheritEnv, Dir: s.Dir,
		Description: s.Description, StartTimeout: s.Timeout, RequestTimeout: s.RequestTimeout,
		MaxRestarts: s.MaxRestarts, Framing: string(s.Framing), Era: string(s.Era),
		IdleTimeout: s.Sessions.Idle, MaxSessions: s.Sessions.Max, MaxPerCaller: s.Sessions.MaxPerPrincipal, Prewarm: s.Sessions.Prewarm,
		RejectClientIDs: s.Sessions.RejectClientIDs, RequireSession: !s.Sessions.Anonymous,
		HibernateAfter: orNever(s.Sessions.Hibernate), MaxAge: orNever(s.Sessions.MaxAge), Stateless: s.Stateless, OnLost: string(s.Sessions.OnLost),
		Sandbox:        Sandbox(s.Sandbox),
		AuditArguments: s.AuditArguments, InjectTrace: s.Trace == config.TraceInject, noFork: s.NoFork,
		EnvFromHeaders: s.EnvFromHeaders, EnvFromClaims: s.EnvFromClaims,
		manifest: s.Manifest, method: s.Auth, line: s.Line, public: public, access: s.Access,
	}
	for _, v := range file.Variables {
		if v.Server == s.Name {
			server.variables = append(server.variables, v)
		}
	}
	if !s.RestartOnFailure || s.MaxRestarts == 0 {
		server.MaxRestarts = -1
	}
	if s.EnvFile == "" {
		return server, nil
	}
	vars, err := config.LoadEnvFile(s.EnvFile)
	if err != nil {
		return Server{}, config.Withhold(file.Variables, &config.Error{Path: file.Path, Line: s.Line, Server: s.Name, Key: "envFile", Err: err})
	}
	for name, value := range s.Env {
		vars[name] = value
	}
	server.Env = vars
	return server, nil
}

// orNever is a duration of the file as a Server has it: there zero is a choice, here it is the default.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
