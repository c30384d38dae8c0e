// Package backplane is what the instances of an app share through Redis: the owners of sessions, the requests that
// are forwarded to them, the session IDs that have ended, and the events of streams, so that a client can resume a
// stream on another instance.
//
// Redis holds digests of IDs and sealed entries: read access to it reveals neither IDs nor messages. The URL of Redis
// contains a password, and appears in no error and no log.
//
// While Redis is away:
//
//   - The methods of Instance that ask for an owner fail, Forward fails within a second, and calls of sessions that this
//     instance owns go on.
//   - Revoked fails. A caller that was about to take over a session answers that the client may try again: the session
//     does not have a process there yet, so nothing is lost. Live sessions do not ask, and continue.
//   - Revoke fails too, but the other instances are told when Redis is back, within bounds. The caller ends its session
//     either way, and need not fail a DELETE.
//   - Watch tries again, with pauses of about 15 s, and then asks about every ID that is held: a session that was revoked
//     in the meantime ends late.
//   - Write, Newest and Read fail. Package eventlog, which calls them, decides how long to try.
//
// While only this instance is cut off from Redis, the others consider it dead after SignOfLife and may start another
// process for a session that it owns. Until it is back, both processes answer the requests that reach their instances.
// Then, Redis decides which instance is the owner, and the other one ends its process.
package backplane

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

const (
	askTimeout  = time.Second     // of a command that a request waits for
	tellTimeout = 5 * time.Second // of other commands
	dialTimeout = 2 * time.Second
	connections = 8 // at a time, besides one for Watch and one for the mailbox
)

// A Store is a Redis server, of version 5 or later, or a cluster of them. Its methods may be called from any
// goroutine.
type Store struct {
	client client
	server *address
	keys   *ticket.Keys
	log    *slog.Logger

	mu     sync.Mutex
	untold []revoked // that Redis was not told yet, oldest first
}

// Open returns the store at a URL, as ParseURL of go-redis reads it, with the parameters of address in addition. It does
// not wait for the server. Close must be called.
func Open(url string, log *slog.Logger, identity Identity) (*Store, error) {
	a, err := parseAddress(url, identity)
	if err != nil {
		return nil, err
	}
	redis.SetLogger(silent{}) // every message is an error of a command too
	s := &Store{server: a, log: log}
	s.client = s.connect(func(*redis.Options) {})
	return s, nil
}

// connect returns a client of the server. change adapts its options.
func (s *Store) connect(change func(*redis.Options)) client {
	return s.server.connect(func(o *redis.Options) {
		o.ContextTimeoutEnabled = true
		o.DialTimeout, o.DialerRetries, o.MaxRetries = dialTimeout, 1, 1
		o.PoolSize = connections
		o.Protocol, o.DisableIdentity = 2, true // as every server and proxy supports
		o.ReadBufferSize, o.WriteBufferSize = 4<<10, 4<<10
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		change(o)
	})
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// explain adds the remedy to an error of Redis that says that it is a cluster.
func explain(err error) error {
	if redis.HasErrorPrefix(err, "MOVED") {
		return fmt.Errorf("this Redis is a cluster: add cluster=true to MCPFUNC_REDIS_URL and build the handler with the tag mcpfunc_redis_cluster, or use Azure's clustering policy EnterpriseCluster: %w", err)
	}
	return err
}

// Close closes all connections. Watch, all writers, and all readers must have returned.
func (s *Store) Close() error { return s.client.Close() }
