package child

import (
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
	exit, exited := errors.AsType[process.Exit](c.exit)
	switch {
	case exited && exit.ExitCode() >= 0:
		f.ExitCode = new(exit.ExitCode())
		f.Text = fmt.Sprintf("the server exited with code %d", *f.ExitCode)
	case exited:
		f.Reason, f.Signal = ReasonKilled, signalOf(exit)
		f.Text = "the server was killed by " + f.Signal
		if m, ok := c.p.(interface{ OutOfMemory() bool }); ok && m.OutOfMemory() {
			f.Reason = ReasonMemory
			f.Text = "the server was killed because it used too much memory"
		}
	case c.exit != nil:
		f.Text = "the server ended: " + c.exit.Error()
	default:
		f.ExitCode = new(int)
		f.Text = "the server exited by itself"
	}
	return f
}

// StartFailure says why a process of caller could not be started.
func (s *Starter) StartFailure(caller any, err error) *Failure {
	f := &Failure{Text: "the server could not be started: " + s.Redact(caller, err.Error()), Reason: ReasonStart}
	if ce, ok := errors.AsType[*process.CommandError](err); ok {
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
