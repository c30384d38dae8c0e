package child

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// failure says how the process ended. It is called after it is gone.
func (c *Child) failure() *Failure {
	if f := c.killed.Load(); f != nil {
		told := *f
		told.Stderr = c.stderr.lines()
		return &told
	}
	f := &Failure{Reason: ReasonExited, Retryable: true, Stderr: c.stderr.lines()}
	var ee process.Exit
	code := 0
	switch {
	case errors.As(c.exit, &ee) && ee.ExitCode() >= 0:
		code = ee.ExitCode()
		f.ExitCode = &code
		f.Text = fmt.Sprintf("the server exited with code %d", code)
	case errors.As(c.exit, &ee):
		f.Reason, f.Signal = ReasonKilled, signalOf(ee)
		f.Text = "the server was killed by " + f.Signal
		if m, ok := c.p.(interface{ OutOfMemory() bool }); ok && m.OutOfMemory() {
			f.Reason = ReasonMemory
			f.Text = "the server was killed because it used too much memory"
		}
	case c.exit != nil:
		f.Text = "the server ended: " + c.exit.Error()
	default:
		f.ExitCode = &code
		f.Text = "the server exited by itself"
	}
	return f
}

// StartFailure says why a process of caller could not be started.
func (s *Starter) StartFailure(caller any, err error) *Failure {
	f := &Failure{Text: "the server could not be started: " + s.Redact(caller, err.Error()), Reason: ReasonStart}
	var ce *process.CommandError
	if errors.As(err, &ce) {
		f.Hint = ce.Hint
	}
	return f
}

// OutOfMemory is the failure of a process that is ended because it uses the most memory, this many
// bytes, on a machine that has none left.
func OutOfMemory(used int64) *Failure {
	return &Failure{
		Text:   fmt.Sprintf("the server was stopped because the instance is out of memory and it used the most: %d MiB", used>>20),
		Reason: ReasonMemory,
	}
}

// StillStarting is the failure of a call that has waited for a start for this long.
func StillStarting(waited time.Duration) *Failure {
	return &Failure{
		Text:   "the server is still starting after " + waited.String() + "; try again soon",
		Reason: ReasonTimeout, Retryable: true,
	}
}

// TooSlow is the failure of a call that was not answered within this limit.
func TooSlow(limit time.Duration) *Failure {
	return &Failure{
		Text: "the server did not answer within " + limit.String(), Reason: ReasonSlow, Retryable: true,
		Hint: "raise request_timeout_seconds",
	}
}

// OutOfTime is the failure of what the Functions host would end after this limit, with the whole app: it
// is ended before.
func OutOfTime(limit time.Duration) *Failure {
	return &Failure{
		Text: "the call took too long: the Functions host allows a request " + limit.String(), Reason: ReasonSlow, Retryable: true,
		Hint: "raise functionTimeout in host.json",
	}
}

// A deadline is the key of what Until keeps in a context.
type deadline struct{}

type until struct {
	at    time.Time
	limit time.Duration
}

// Until returns a context for a request that the Functions host ends after limit, so that we have to have
// ended it at this time: to wait with it fails with OutOfTime, as does a call that is sent with it. cancel
// must be called.
func Until(ctx context.Context, at time.Time, limit time.Duration) (within context.Context, cancel func()) {
	return context.WithDeadlineCause(Ending(ctx, at, limit), at, OutOfTime(limit))
}

// Ending returns ctx for a call whose answer goes to a request that the Functions host ends after limit, which
// another request is: the call has to have ended at this time.
func Ending(ctx context.Context, at time.Time, limit time.Duration) context.Context {
	return context.WithValue(ctx, deadline{}, until{at, limit})
}

// Endless returns ctx for a call whose answer may come when its request is over: its client comes back.
func Endless(ctx context.Context) context.Context {
	return context.WithValue(ctx, deadline{}, nil)
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
