// Package revocation remembers which session ids were given up before their time. An id that any
// instance can open stays good after DELETE unless somebody remembers that it is not: this instance
// in its memory, and all of them where a Redis server is configured.
//
// What Redis holds of an id is its SHA-256, for as long as the id would have been good: who reads the
// server learns no id. A URL of Redis holds a password and appears in no error and no log.
//
// When Redis is down:
//
//   - Revoked fails. A caller that was to bring a session back does not then, and says that it may be
//     tried again: the session has no process here yet, so nothing is lost that was there. Sessions
//     that are alive here are not asked about at each call and go on.
//   - Revoke fails too, but what it was told holds here at once, and is told to the others as soon as
//     Redis is back, within bounds. A caller ends its session either way and need not fail a DELETE.
//   - Watch tries again, with pauses up to 15 s, and then asks about every id that is held: what was
//     revoked meanwhile ends late, and does not go on.
package revocation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"time"
)

// A Store remembers revoked ids. Its methods may be called from any goroutine.
type Store interface {
	// Revoke makes id revoked until the time given, from which on nobody would take it anyway.
	Revoke(ctx context.Context, id string, until time.Time) error
	// Revoked says whether id is revoked. It takes 250 ms at most, and ctx's time if that is less.
	Revoked(ctx context.Context, id string) (bool, error)
	// Watch calls end with each id among those held that another instance revokes, until ctx is done.
	// It is to run in one goroutine, which end may keep waiting for a short time; Close must not be
	// called before it has returned.
	Watch(ctx context.Context, held func() []string, end func(id string))
	// Close lets go of connections.
	Close() error
}

// Open returns the store of this instance alone if url is empty, and else one that is shared by all
// instances that are given the same redis:// or rediss:// URL. It does not wait for the server.
func Open(url string, log *slog.Logger) (Store, error) {
	own := newLocal(maxLocal, log)
	if url == "" {
		return own, nil
	}
	return newShared(url, own, log)
}

// A digest is all that is kept of an id: it cannot be used as one.
type digest string

func digestOf(id string) digest {
	sum := sha256.Sum256([]byte("mcpfunc revocation\x00" + id))
	return digest(base64.RawURLEncoding.EncodeToString(sum[:]))
}
