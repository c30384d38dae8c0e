package backplane

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Which session ids were given up before their time. An id that any instance can open stays good
// after DELETE unless those that did not see it remember that it is not. What Redis holds of an id is
// its SHA-256, for as long as the id would have been good.

const (
	keyPrefix = "mcpfunc:revoked:" // and the digest; the value says nothing
	channel   = "mcpfunc:revoked"  // on which the digest is said when it is set

	maxUntold = 1 << 10
)

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

// Revoke makes id revoked until the time given, after which it would not be accepted anyway. It takes
// 250 ms at most. An error says that other instances do not know yet; it is kept and told later.
func (s *Store) Revoke(ctx context.Context, id string, until time.Time) error {
	r := revoked{digestOf(id), until}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := s.publish(ctx, r); err != nil {
		s.keep(r)
		return fmt.Errorf("tell Redis that a session id is revoked: %w", err)
	}
	return nil
}

// publish stores revocations and says them, in one round trip.
func (s *Store) publish(ctx context.Context, all ...revoked) error {
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
		s.log.Warn("another instance may miss a revoked session id: too many wait for Redis", "limit", maxUntold)
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
