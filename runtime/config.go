package mcpfunc

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/authenv"
	"github.com/mcpfunc/mcpfunc/internal/config"
)

// A Config is what an App serves. LoadConfig makes one of a file; a literal needs only Servers.
type Config struct {
	Servers       []Server // those switched on
	DefaultServer string   // name of the one behind /api/mcp; empty means the first

	PublicURL      string   // scheme and host by which clients reach the app; needed for OAuth metadata
	AllowedOrigins []string // of web pages that may call the app, as scheme://host[:port]
	AllowedHosts   []string // that requests may name; empty means any

	MaxSessions      int           // of all servers together; zero no limit
	MaxRequestBytes  int64         // of a POST; zero 32 MiB
	MaxResponseBytes int64         // of one message of a server; zero 64 MiB
	Keepalive        time.Duration // between signs of life on a silent stream; zero 20 s, negative none
	LogLevel         slog.Level

	// LogMessages logs every message between the app and its servers, at debug level whatever
	// LogLevel says: the first 4 KiB of it, without secrets. LoadConfig sets it when MCPFUNC_DEBUG is
	// "wire".
	LogMessages bool

	// SessionKeys seal the ids of sessions, so that every instance that has the keys can serve a
	// session that another one opened: 32 bytes each in base64, with commas between them. The first
	// seals, all open. Empty means that ids are good on this instance alone. It is a secret.
	SessionKeys string
	// RedisURL is of a server by which instances tell each other which sessions clients have ended, and
	// what streams have said: redis:// or rediss://. Empty means that an id that was ended on one
	// instance may still be used on another until it is too old, and that a stream can be resumed on its
	// own instance alone. It is a secret.
	RedisURL string

	// Development says that the app runs on a developer's machine: web pages of this machine may
	// call it, and identity providers on it are believed.
	Development bool

	// platformAuth says that App Service authentication stands in front and serves the metadata of
	// the resource: two that tell clients where to sign in would contradict each other. Tokens are
	// verified here all the same, and the headers in which the platform names the user are not
	// believed: without it in front, anybody could set them.
	platformAuth bool

	authorityHost, tenantID string // of Entra ID, as the platform or the app settings say

	notices []notice // to log

	devKey  string   // opens the page of mcpfunc dev, which gave it; empty: there is no page
	secrets []string // what was put in place of ${NAME} where NAME sounds like a secret
}

// LoadConfig reads the configuration file at path; empty means the first well-known file that
// exists. ${NAME} is replaced from the environment, where an empty variable is a missing one. It is
// one of two functions here that read the environment; the other is FunctionsAddr.
//
// Servers that `mcpfunc pack` has packed beside the file start from that.
//
// An error about the file's contents says where in it and, where there is one, a hint.
func LoadConfig(path string) (*Config, error) {
	if path == "" {
		home, _ := os.UserHomeDir()
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		if path, err = config.Discover(dir, home); err != nil {
			return nil, err
		}
	}
	var secrets []string
	file, err := config.Load(path, func(name string) (string, bool) {
		value := os.Getenv(name)
		if authenv.SoundsSecret(name) {
			secrets = append(secrets, value)
		}
		return value, value != ""
	})
	if err != nil {
		return nil, withHint(err)
	}
	cfg, err := fromFile(file, os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg.secrets = secrets
	return cfg, cfg.startPacked(path)
}

// ParseConfig is LoadConfig for a file's contents in hand. lookup says what ${NAME} means; nil
// leaves it as it stands. It reads nothing else.
func ParseConfig(data []byte, lookup func(name string) (value string, ok bool)) (*Config, error) {
	file, err := config.Parse("mcp_config.json", data, lookup)
	if err != nil {
		return nil, withHint(err)
	}
	return fromFile(file, func(string) string { return "" })
}

// The app settings for Config.SessionKeys and Config.RedisURL.
const (
	sessionKeySetting = "MCPFUNC_SESSION_KEY"
	redisSetting      = "MCPFUNC_REDIS_URL"
)

// fromFile makes a Config of a parsed file, with what the platform says of itself.
func fromFile(file *config.File, getenv func(string) string) (*Config, error) {
	rt := file.Runtime
	cfg := &Config{
		DefaultServer: rt.DefaultServer, PublicURL: rt.PublicURL,
		AllowedOrigins: rt.AllowedOrigins, AllowedHosts: rt.AllowedHosts,
		MaxSessions: rt.MaxSessions, MaxRequestBytes: rt.MaxRequestBytes, MaxResponseBytes: rt.MaxResponseBytes,
		Keepalive:   orNever(rt.Keepalive),
		SessionKeys: getenv(sessionKeySetting), RedisURL: getenv(redisSetting),
		Development: getenv("AZURE_FUNCTIONS_ENVIRONMENT") == "Development",

		platformAuth: strings.EqualFold(getenv("WEBSITE_AUTH_ENABLED"), "true") && getenv("WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES") != "",

		authorityHost: getenv("AZURE_AUTHORITY_HOST"), tenantID: getenv("AZURE_TENANT_ID"),

		LogMessages: getenv("MCPFUNC_DEBUG") == "wire",
	}
	if key := getenv("MCPFUNC_DEV"); cfg.Development && len(key) >= minDevKey {
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
	if cfg.Development && len(cfg.AllowedHosts) == 0 {
		// Against DNS rebinding: a page in the developer's browser can make a name of its own point
		// here, but not be called localhost.
		cfg.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
	}
	first, _ := file.Default()
	for _, s := range file.Enabled() {
		if err := refusePublic(filepath.Dir(file.Path), s, s.Name == first.Name, getenv); err != nil {
			hint := "run mcpfunc generate with another auth level"
			if s.Auth.Method == config.AuthNone { // nobody may lend the app's own identity to everybody
				hint += `, or set "allow_public": true in auth`
			}
			return nil, withHint(&config.Error{Path: file.Path, Line: s.Line, Server: s.Name, Key: "auth", Err: err, Hint: hint})
		}
		server, err := fromEntry(file.Path, s)
		if err != nil {
			return nil, err
		}
		cfg.Servers = append(cfg.Servers, server)
	}
	return cfg, nil
}

func fromEntry(path string, s config.Server) (Server, error) {
	server := Server{
		Name: s.Name, Command: s.Command, Args: s.Args, Env: s.Env, InheritEnv: s.InheritEnv, Dir: s.Dir,
		Description: s.Description, StartTimeout: s.Timeout, RequestTimeout: s.RequestTimeout,
		NoRestart: !s.RestartOnFailure || s.MaxRestarts == 0, MaxRestarts: s.MaxRestarts, Framing: Framing(s.Framing), Era: Era(s.Era),
		IdleTimeout: s.Sessions.Idle, MaxSessions: s.Sessions.Max, MaxPerCaller: s.Sessions.MaxPerPrincipal, Prewarm: s.Sessions.Prewarm,
		RejectClientIDs: s.Sessions.RejectClientIDs, NoAnonymous: !s.Sessions.Anonymous,
		HibernateAfter: orNever(s.Sessions.Hibernate), MaxAge: orNever(s.Sessions.MaxAge), Stateless: s.Stateless, OnLost: OnLost(s.Sessions.OnLost),
		method: s.Auth,
	}
	if s.EnvFile == "" {
		return server, nil
	}
	vars, err := config.LoadEnvFile(s.EnvFile)
	if err != nil {
		return Server{}, &config.Error{Path: path, Line: s.Line, Server: s.Name, Key: "envFile", Err: err}
	}
	for name, value := range s.Env {
		vars[name] = value
	}
	server.Env = vars
	return server, nil
}

// orNever is a duration of the file as a Server has it: there zero is a choice, here it is none.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// withHint puts a configuration error's hint into its text: the generated main prints one line.
func withHint(err error) error {
	var ce *config.Error
	if errors.As(err, &ce) && ce.Hint != "" {
		return &hinted{err, ce.Hint}
	}
	return err
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Error() string { return h.error.Error() + " (hint: " + h.hint + ")" }
func (h *hinted) Unwrap() error { return h.error }

// loopback reports whether hostport names this machine.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
