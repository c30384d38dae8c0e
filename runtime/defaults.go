package mcpfunc

import (
	"cmp"
	"errors"
	"math"
	"net/url"
	"strings"
	"time"
)

// never is as long as no process lives, and four times as long is still a duration.
const never = 10 * 365 * 24 * time.Hour

// limit is v, or the meaning of zero and of negative values of a setting.
func limit[T int | int64 | time.Duration](v, zero, negative T) T {
	switch {
	case v == 0:
		return zero
	case v < 0:
		return negative
	}
	return v
}

// withDefaults is o with a value where it has none.
func (o Options) withDefaults() Options {
	o.Grace = limit(o.Grace, 3*time.Second, 0)
	o.Drain = limit(o.Drain, 10*time.Second, 0)
	o.StreamLimit = limit(o.StreamLimit, 25*time.Minute, never)
	o.Starts = limit(o.Starts, 0, math.MaxInt32) // of the table: zero goes by the processors
	if o.Launcher == nil {
		o.Launcher = ExecLauncher{}
	}
	o.Prefix = cmp.Or(o.Prefix, defaultPrefix)
	return o
}

// withDefaults is c with a value where it has none, and with what the program says over what the app's
// settings say.
func (c Config) withDefaults(o Options) Config {
	c.MaxSessions = max(0, c.MaxSessions)
	c.MaxRequestBytes = limit(c.MaxRequestBytes, 32<<20, -1)
	if c.hostBody > 0 {
		c.MaxRequestBytes = min(c.MaxRequestBytes, c.hostBody)
	}
	c.MaxResponseBytes = limit(c.MaxResponseBytes, 64<<20, -1)
	c.Keepalive = limit(c.Keepalive, 20*time.Second, o.StreamLimit)
	c.development = c.development || o.Development
	c.logMessages = c.logMessages || o.LogMessages
	c.sessionKeys = cmp.Or(o.SessionKeys, c.sessionKeys)
	c.redisURL = cmp.Or(o.RedisURL, c.redisURL)
	if c.development && len(c.AllowedHosts) == 0 {
		// Against DNS rebinding: a page in the developer's browser can make a name of its own point
		// here, but not be called localhost.
		c.AllowedHosts = []string{"localhost", "127.0.0.1", "[::1]"}
		if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
			c.AllowedHosts = append(c.AllowedHosts, u.Host) // of a tunnel that leads here
		}
	}
	return c
}

// withDefaults is s with a value where it has none.
func (s Server) withDefaults() Server {
	s.StartTimeout = limit(s.StartTimeout, 30*time.Second, never)
	s.RequestTimeout = max(0, s.RequestTimeout)
	s.MaxRestarts = limit(s.MaxRestarts, 3, 0)
	s.IdleTimeout = limit(s.IdleTimeout, time.Hour, never)
	s.HibernateAfter = limit(s.HibernateAfter, 5*time.Minute, 0)
	s.MaxAge = limit(s.MaxAge, 24*time.Hour, 0)
	s.MaxSessions = max(0, s.MaxSessions)
	s.MaxPerCaller = limit(s.MaxPerCaller, 8, 0)
	s.Prewarm = max(0, s.Prewarm)
	s.Framing = cmp.Or(s.Framing, "auto")
	if s.OnLost == "" && s.Stateless {
		s.OnLost = "resurrect"
	}
	return s
}

// defaultPrefix is the prefix of the paths of a project's functions.
const defaultPrefix = "/api"

// checkPrefix returns a prefix as paths begin with it: without the slash at its end.
func checkPrefix(prefix string) (string, error) {
	if prefix == "/" {
		return "", nil
	}
	u, err := url.Parse(prefix)
	switch {
	case err != nil || u.Path != prefix || u.EscapedPath() != prefix || !strings.HasPrefix(prefix, "/"):
	case strings.HasPrefix(strings.ToLower(prefix)+"/", "/.well-known/"):
	default:
		for segment := range strings.SplitSeq(prefix[1:], "/") {
			if segment == "" || segment == "." || segment == ".." {
				return "", errPrefix
			}
		}
		return prefix, nil
	}
	return "", errPrefix
}

var errPrefix = errors.New(`want "/" or a path such as "/tools": characters that need no escape, no slash at the end, and not below /.well-known`)
