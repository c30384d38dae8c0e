package backplane

import (
	"context"
	"math/rand/v2"
	"time"
)

// wait returns after d, or with the cause of ctx's end.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// jitter returns a random duration from d/2 to 3d/2. All instances lose Redis at the same moment, and must not all
// return to it at the same moment.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }
