// Package pace limits how often something is done: a burst at once, and then a number per second. Wait is a
// pause that can be cut short.
package pace

import (
	"context"
	"time"
)

// A Bucket is a token bucket. It is full at first, and used by one goroutine at a time.
type Bucket struct {
	Burst float64 // tokens that it holds
	Rate  float64 // tokens that it gains a second

	used float64 // of Burst, at last
	last time.Time
}

// fill brings b to now. A clock that goes back adds nothing.
func (b *Bucket) fill(now time.Time) {
	b.used = max(0, b.used-b.Rate*max(0, now.Sub(b.last).Seconds()))
	b.last = now
}

// Has reports whether there is a token.
func (b *Bucket) Has(now time.Time) bool {
	b.fill(now)
	return b.used <= b.Burst-1
}

// Take takes a token if there is one, and reports whether.
func (b *Bucket) Take(now time.Time) bool {
	if !b.Has(now) {
		return false
	}
	b.used++
	return true
}

// Charge takes a token that may not be there: the next comes later.
func (b *Bucket) Charge(now time.Time) {
	b.fill(now)
	b.used++
}

// Full reports whether b is as if it had never been used.
func (b *Bucket) Full(now time.Time) bool {
	b.fill(now)
	return b.used == 0
}

// Wait is how long it takes until there is a token.
func (b *Bucket) Wait(now time.Time) time.Duration {
	b.fill(now)
	return time.Duration(max(0, b.used-(b.Burst-1)) / b.Rate * float64(time.Second))
}

// Wait returns after d, or with the cause of ctx's end.
func Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
