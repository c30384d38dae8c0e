// Package shared is what the instances of an app know together, by way of a Redis server: which session
// ids are over, and what streams have said, for a client that goes on with one on another instance.
// Redis holds digests of ids and sealed events: who reads the server learns no id and nothing of what
// is said in a session. A URL of Redis holds a password and appears in no error and no log.
//
// When Redis is down:
//
//   - Revoked fails. A caller that was to bring a session back does not then, and says that it may be
//     tried again: the session has no process there yet, so nothing is lost that was there. Sessions
//     that are alive are not asked about at each call and go on.
//   - Revoke fails too, but what it was told is told to the others as soon as Redis is back, within
//     bounds. A caller ends its session either way and need not fail a DELETE.
//   - Watch tries again, with pauses up to 15 s, and then asks about every id that is held: what was
//     revoked meanwhile ends late, and does not go on.
//   - Write, Newest and Read fail. Who calls them (package eventlog) knows how long to try.
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
	tellTimeout = 5 * time.Second        // of what nobody waits for
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
