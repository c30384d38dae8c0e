package revocation

import (
	"context"
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

// shared remembers in Redis, and in memory what this instance revoked itself.
type shared struct {
	own    *local
	client *redis.Client
	log    *slog.Logger

	mu     sync.Mutex
	untold []revoked // that Redis does not know, oldest first
}

type revoked struct {
	digest digest
	until  time.Time
}

func newShared(url string, own *local, log *slog.Logger) (*shared, error) {
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
	return &shared{own: own, client: redis.NewClient(o), log: log}, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func (s *shared) Revoke(ctx context.Context, id string, until time.Time) error {
	r := revoked{digestOf(id), until}
	s.own.add(r.digest, until)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.tell(ctx, r); err != nil {
		s.keep(r)
		return fmt.Errorf("the other instances do not know yet: %w", err)
	}
	return nil
}

// tell sets revocations and says them, in one round trip.
func (s *shared) tell(ctx context.Context, all ...revoked) error {
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
func (s *shared) keep(r revoked) {
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

func (s *shared) Revoked(ctx context.Context, id string) (bool, error) {
	d := digestOf(id)
	if s.own.has(d) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n, err := s.client.Exists(ctx, keyPrefix+string(d)).Result()
	if err != nil {
		return false, fmt.Errorf("ask Redis whether a session id is revoked: %w", err)
	}
	return n > 0, nil
}

func (s *shared) Close() error { return s.client.Close() }
