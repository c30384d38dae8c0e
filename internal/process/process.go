// Package process runs one child process: it starts it, watches it, and ends it with everything that it started.
//
// On Linux, a child has its own process group, dies with the thread that started it and so with the app
// (PR_SET_PDEATHSIG), and enters its own Landlock domain, so that it can neither signal its siblings nor read
// their memory or environment. All of that is inherited from the thread that forks, which is why every child has
// such a thread (launch_linux.go); it costs no second exec. What a child leaves behind is found by a mark in its
// environment, and killed. What an owner requests beyond that is a Sandbox.
//
// A process that does nothing else calls Supervisor.TakeProcess: as a sub-reaper it adopts what children leave
// behind, with a mark or without, and if it is killed itself, a guard outlives it just long enough to do the
// same.
package process

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A Process is a running server. Read is its stdout, Write its stdin, and Close closes its stdin,
// which asks it to stop. Read may be called while Write, Close, Wait or Kill is.
type Process interface {
	io.ReadWriteCloser
	// Wait returns once the process is gone. What it wrote before can still be read.
	Wait() error
	// Kill ends it, and everything it started, at once.
	Kill() error
}

// A Terminator can be asked to stop more firmly than by closing its stdin: SIGTERM to the group.
type Terminator interface{ Terminate() error }

// A Complainer has a stderr. It must be read to its end, or the process may block.
type Complainer interface{ Stderr() io.Reader }

// A Spec says what to run.
type Spec struct {
	Command string   // a name to be found on Env's PATH, or a path, relative to Dir
	Args    []string // without the program's name; there is no shell
	Env     []string // all of it, as key=value
	Dir     string   // empty means the app's own
	Sandbox Sandbox  // what it may reach

	files []*os.File // descriptors from 3 on
}

// An Exit is the error of a process that did not exit with 0. An *exec.ExitError is one.
type Exit interface {
	error
	ExitCode() int // -1 for one that a signal has ended
	Sys() any      // a syscall.WaitStatus
}

// A CommandError is a program that cannot be started.
type CommandError struct {
	Command string
	Err     error
	Hint    string // a hint, where we know one
}

func (e *CommandError) Error() string { return fmt.Sprintf("start %s: %v", e.Command, e.Err) }
func (e *CommandError) Unwrap() error { return e.Err }

// Stop climbs down the ladder of MCP's stdio shutdown (2025-11-25, basic/lifecycle, "stdio"): close
// stdin, wait, SIGTERM, wait, SIGKILL. It returns once gone is closed, which the caller does when
// p.Wait has returned. A grace of zero kills at once.
func Stop(p Process, gone <-chan struct{}, grace time.Duration) {
	p.Close()
	if grace > 0 {
		if within(gone, grace) {
			return
		}
		if t, ok := p.(Terminator); ok && t.Terminate() == nil && within(gone, grace) {
			return
		}
	}
	p.Kill()
	<-gone
}

func within(gone <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-gone:
		return true
	case <-t.C:
		return false
	}
}
