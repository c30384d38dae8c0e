package backplane

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// Any instance can open an ID, also after a DELETE that another instance received. Redis therefore holds the SHA-256 of
// every ID that ended before its time, for as long as the ID would have been valid.

const (
	keyPrefix = "mcpfunc:revoked:" // and the digest; the value is empty
	channel   = "mcpfunc:revoked"  // to which the digest is published

	maxUntold = 1 << 10
)

type revoked struct {
	digest digest
	until  time.Time
}

// A digest of an ID cannot be used as an ID.
type digest string

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte("mcpfunc revocation\x00" + id))
	return digest(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// Revoke revokes id until the time given, when it expires anyway. It takes at most 1 s. After an error, other instances
// do not know yet; they are told later.
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

// publish stores and publishes revocations, in one round trip.
func (s *Store) publish(ctx context.Context, all ...revoked) error {
	p := s.client.Pipeline()
	for _, r := range all {
		if left := time.Until(r.until); left >= time.Millisecond { // the unit of Redis
			p.Set(ctx, keyPrefix+string(r.digest), "", left)
			p.Publish(ctx, channel, string(r.digest))
		}
	}
	_, err := p.Exec(ctx)
	return err
}

// keep keeps a revocation for Redis, for later. Beyond maxUntold, the oldest is dropped: it has the least time left.
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

// Revoked reports whether id is revoked. It fails if Redis does not answer within 1 s.
func (s *Store) Revoked(ctx context.Context, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	n, err := s.client.Exists(ctx, keyPrefix+string(digestOf(id))).Result()
	if err != nil {
		return false, fmt.Errorf("ask Redis whether a session id is revoked: %w", explain(err))
	}
	return n > 0, nil
}
