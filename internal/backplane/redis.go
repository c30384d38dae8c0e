// Package backplane is what the instances of an app share through a Redis server: which instance owns a session,
// requests that are forwarded to it, which session ids are over, and the events of streams, so that a client can
// resume a stream on another instance.
//
// Redis holds digests of ids and sealed entries: anyone who reads it learns no id and nothing of what is said in
// a session. The URL of Redis contains a password and appears in no error and no log.
//
// When Redis is down:
//
//   - Revoked fails. A caller that was about to take over a session does not, and answers that the call may be
//     tried again: the session does not have a process there yet, so nothing is lost. Live sessions do not ask at
//     each call and continue.
//   - Revoke fails too, but the other instances are told as soon as Redis is back, within bounds. The caller ends
//     its session either way and need not fail a DELETE.
//   - Watch tries again, with pauses of up to 15 s, and then asks about every id that is held: a session that was
//     revoked in the meantime ends late.
//   - Write, Newest and Read fail. Package eventlog, which calls them, decides how long to try.
package backplane

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

const (
	askTimeout  = 250 * time.Millisecond // of what a request waits for
	tellTimeout = 5 * time.Second        // of commands without a request that waits
	dialTimeout = 2 * time.Second
	connections = 8 // at a time; there is one more, that listens
)

// A Store is a Redis server, of version 5 or later, or a cluster of them. Its methods may be called from any
// goroutine.
type Store struct {
	client client
	server *address
	keys   *ticket.Keys
	log    *slog.Logger

	mu     sync.Mutex
	untold []revoked // that Redis does not know, oldest first
}

// Open returns the store at a URL, as ParseURL of go-redis reads it, with two parameters more: see address. It
// does not wait for the server. Close must be called.
func Open(url string, log *slog.Logger, identity Identity) (*Store, error) {
	a, err := parseAddress(url, identity)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silent{}) // what it has to say comes as an error too
	s := &Store{server: a, log: log}
	s.client = s.connect(func(*redis.Options) {})
	return s, nil
}

// connect returns a client of the server, with options that change changes.
func (s *Store) connect(change func(*redis.Options)) client {
	return s.server.connect(func(o *redis.Options) {
		o.ContextTimeoutEnabled = true
		o.DialTimeout, o.DialerRetries, o.MaxRetries = dialTimeout, 1, 1
		o.PoolSize = connections
		o.Protocol, o.DisableIdentity = 2, true // what every server and proxy knows
		o.ReadBufferSize, o.WriteBufferSize = 4<<10, 4<<10
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		change(o)
	})
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Close lets go of connections. Watch, all writers and all readers must have returned.
func (s *Store) Close() error { return s.client.Close() }
