// Package revocation tells the instances of an app which session ids were given up before their time,
// by way of a Redis server. An id that any instance can open stays good after DELETE unless those
// that did not see it remember that it is not.
//
// What Redis holds of an id is its SHA-256, for as long as the id would have been good: who reads the
// server learns no id. A URL of Redis holds a password and appears in no error and no log.
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
package revocation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	keyPrefix = "mcpfunc:revoked:" // and the digest; the value says nothing
	channel   = "mcpfunc:revoked"  // on which the digest is said when it is set

	askTimeout  = 250 * time.Millisecond // of what a request waits for
	tellTimeout = 5 * time.Second        // of what nobody waits for
	dialTimeout = 2 * time.Second
	maxUntold   = 1 << 10
)

// A Store remembers revoked ids in Redis. Its methods may be called from any goroutine.
type Store struct {
	client *redis.Client
	log    *slog.Logger

	mu     sync.Mutex
	untold []revoked // that Redis does not know, oldest first
}

type revoked struct {
	digest digest
	until  time.Time
}

// A digest is all that is kept of an id: it cannot be used as one.
type digest string

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte("mcpfunc revocation\x00" + id))
	return digest(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// Open returns the store at a redis:// or rediss:// URL. It does not wait for the server. Close must
// be called.
func Open(url string, log *slog.Logger) (*Store, error) {
	o, err := redis.ParseURL(url)
	if err != nil { // it quotes what it could not read, and that may be of the password
		return nil, errors.New("it is no redis:// or rediss:// URL of a server; in a password, encode /, ?, # and @ with percent signs")
	}
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.DialerRetries, o.MaxRetries = dialTimeout, 1, 1
	o.PoolSize = 4
	o.Protocol, o.DisableIdentity = 2, true // what every server and proxy knows
	o.ReadBufferSize, o.WriteBufferSize = 4<<10, 4<<10
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(silent{}) // what it has to say comes as an error too
	return &Store{client: redis.NewClient(o), log: log}, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Revoke makes id revoked until the time given, from which on nobody would take it anyway. It takes
// 250 ms at most. An error says that other instances do not know yet; it is kept and told later.
func (s *Store) Revoke(ctx context.Context, id string, until time.Time) error {
	r := revoked{digestOf(id), until}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.tell(ctx, r); err != nil {
		s.keep(r)
		return fmt.Errorf("tell Redis that a session id is revoked: %w", err)
	}
	return nil
}

// tell sets revocations and says them, in one round trip.
func (s *Store) tell(ctx context.Context, all ...revoked) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, r := range all {
			if left := time.Until(r.until); left >= time.Millisecond { // the least that Redis counts in
				p.Set(ctx, keyPrefix+string(r.digest), "", left)
				p.Publish(ctx, channel, string(r.digest))
			}
		}
		return nil
	})
	return err
}

// keep holds what Redis must be told later. When there is too much the oldest goes: it has the least
// time left.
func (s *Store) keep(r revoked) {
	s.mu.Lock()
	s.untold = append(s.untold, r)
	full := len(s.untold) > maxUntold
	if full {
		s.untold = s.untold[1:]
	}
	s.mu.Unlock()
	if full {
		s.log.Warn("another instance may not learn that a session id was revoked: too many wait for Redis", "limit", maxUntold)
	}
}

// Revoked says whether id is revoked. It takes 250 ms at most, and fails when Redis does not answer
// in that time.
func (s *Store) Revoked(ctx context.Context, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n, err := s.client.Exists(ctx, keyPrefix+string(digestOf(id))).Result()
	if err != nil {
		return false, fmt.Errorf("ask Redis whether a session id is revoked: %w", err)
	}
	return n > 0, nil
}

// Close lets go of connections. Watch must have returned.
func (s *Store) Close() error { return s.client.Close() }
