package child

import (
	"context"
	"sync"
	"time"
)

// deadline is the key by which a context says when a call that is sent with it has to have ended: an until, or nothing.
type deadline struct{}

// An until is a time at which a call has to have ended, because the Functions host ends its request after limit.
type until struct {
	at    time.Time
	limit time.Duration
}

// Ending returns ctx for a call whose answer goes to a request that the Functions host ends after limit, which
// another request is: the call has to have ended at this time.
func Ending(ctx context.Context, at time.Time, limit time.Duration) context.Context {
	return context.WithValue(ctx, deadline{}, until{at, limit})
}

// A Limited is the context of a request that the Functions host ends after a limit, so that we have to have ended it at
// some time before: to wait with it fails with OutOfTime, as does a call that is sent with it. It sets a timer when
// someone waits, which few requests do. Its methods may be called from many goroutines.
type Limited struct {
	context.Context // of the request
	until

	mu   sync.Mutex
	wait context.Context // that has the timer; nil until someone waits
	stop context.CancelFunc
}

// Until returns a Limited of ctx that ends at this time. Stop must be called.
func Until(ctx context.Context, at time.Time, limit time.Duration) *Limited {
	return &Limited{Context: ctx, until: until{at, limit}}
}

// Stop ends all that waits with l.
func (l *Limited) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
}

// Endless returns l for a call whose answer may come when its request is over: its client comes back.
func (l *Limited) Endless() context.Context { return endless{l} }

type endless struct{ *Limited }

func (e endless) Value(key any) any {
	if key == (deadline{}) {
		return nil
	}
	return e.Limited.Value(key)
}

// ends returns what is closed when ctx ends, unless at a time that it returns as well, zero for none: to who waits often
// and has a timer.
func ends(ctx context.Context) (done <-chan struct{}, at time.Time) {
	switch l := ctx.(type) {
	case *Limited:
		return l.Context.Done(), l.at
	case endless:
		return l.Context.Done(), l.at
	}
	return ctx.Done(), time.Time{}
}

// Deadline returns the time at which l ends.
func (l *Limited) Deadline() (at time.Time, ok bool) { return l.at, true }

// Done returns what is closed when l has ended.
func (l *Limited) Done() <-chan struct{} { return l.timed(true).Done() }

// Err says why l has ended, or returns nil.
func (l *Limited) Err() error { return l.timed(!time.Now().Before(l.at)).Err() }

// Value returns what the request's context has at key. context.Cause finds OutOfTime by it.
func (l *Limited) Value(key any) any {
	if key == (deadline{}) {
		return l.until
	}
	return l.timed(false).Value(key)
}

// timed returns the context with the timer, which is set if it must be; else that of the request will do.
func (l *Limited) timed(must bool) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wait == nil && must {
		l.wait, l.stop = context.WithDeadlineCause(l.Context, l.at, OutOfTime(l.limit))
	}
	if l.wait == nil {
		return l.Context
	}
	return l.wait
}

// CallLimit is how long a call may take that is sent with ctx and has a limit of its own, zero for none,
// and what makes the failure of one that took longer; that is nil if there is no limit.
func CallLimit(ctx context.Context, own time.Duration) (limit time.Duration, failure func() *Failure) {
	if u, ok := ctx.Value(deadline{}).(until); ok {
		if left := time.Until(u.at); own <= 0 || left < own {
			return max(left, 1), func() *Failure { return OutOfTime(u.limit) }
		}
	}
	if own <= 0 {
		return 0, nil
	}
	return own, func() *Failure { return TooSlow(own) }
}
