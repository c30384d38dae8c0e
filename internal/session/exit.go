package session

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// failure says how a run ended. It is called after the process is gone.
func (r *run) failure() *Failure {
	if f := r.ended.Load(); f != nil {
		told := *f
		told.Stderr = r.stderr.last()
		return &told
	}
	f := &Failure{Reason: ReasonExited, Retryable: true, Stderr: r.stderr.last()}
	var ee *exec.ExitError
	code := 0
	switch {
	case errors.As(r.exit, &ee) && ee.ExitCode() >= 0:
		code = ee.ExitCode()
		f.ExitCode = &code
		f.Text = fmt.Sprintf("the server exited with code %d", code)
	case errors.As(r.exit, &ee):
		f.Reason, f.Signal = ReasonKilled, signalOf(ee)
		f.Text = "the server was ended by " + f.Signal
		if m, ok := r.p.(interface{ OutOfMemory() bool }); ok && m.OutOfMemory() {
			f.Reason = ReasonMemory
			f.Text = "the server was killed because it used too much memory"
		}
	case r.exit != nil:
		f.Text = "the server ended: " + r.exit.Error()
	default:
		f.ExitCode = &code
		f.Text = "the server exited by itself"
	}
	return f
}

// startFailure says why a process could not be started.
func startFailure(err error) *Failure {
	f := &Failure{Text: "the server could not be started: " + err.Error(), Reason: ReasonStart}
	var ce *process.CommandError
	if errors.As(err, &ce) {
		f.Hint = ce.Hint
	}
	return f
}
