package mcpfunc

import (
	"context"
	"io"
	"log/slog"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A Launcher starts the process that serves one session. Most custom ones change s and hand it on
// to ExecLauncher. Launch is called from many goroutines at once; ctx ends with the session.
type Launcher interface {
	Launch(ctx context.Context, s Server, env []string) (Process, error)
}

// A LauncherFunc is a function that is a Launcher.
type LauncherFunc func(ctx context.Context, s Server, env []string) (Process, error)

// Launch calls f.
func (f LauncherFunc) Launch(ctx context.Context, s Server, env []string) (Process, error) {
	return f(ctx, s, env)
}

// A Process is a running server: Read is its stdout, Write its stdin, and Close closes its stdin,
// which asks it to stop. Read may be called while Write, Close, Wait or Kill is.
//
// It may also have Stderr() io.Reader, which is then drained into the log, and Terminate() error,
// which asks it to stop more firmly.
type Process interface {
	io.ReadWriteCloser
	Wait() error // returns once it is gone; what it wrote before can still be read
	Kill() error // ends it, and everything it started, at once
}

// ExecLauncher runs child processes. Each has a process group of its own and dies with the program; what it
// has started ends with it (see App.ListenAndServe for what that takes). On Linux it can neither signal its
// siblings nor read their memory or environment, where the kernel has Landlock, and is kept to s.Sandbox. Those of a
// packed server in Python are forked from one that has imported what they need, where packing has found that possible.
type ExecLauncher struct{}

// Launch starts s.Command with env and nothing else in its environment, but for HOME, TMPDIR and the folders of
// caches where s.Sandbox is ReadOnly. A program that cannot be
// started is a *CommandError.
func (ExecLauncher) Launch(ctx context.Context, s Server, env []string) (Process, error) {
	box, env := s.own(env)
	spec := process.Spec{Command: s.Command, Args: s.Args, Env: env, Dir: s.Dir, Sandbox: box}
	if supervisor, ok := process.From(ctx); ok {
		if s.forks != nil {
			child, err := s.forks.Start(ctx, spec)
			if err == nil {
				return child, nil
			}
			if ctx.Err() != nil {
				return nil, err
			}
		}
		child, err := supervisor.Start(spec)
		if err != nil {
			return nil, err
		}
		return child, nil
	}
	// Not called by an App: the child has a supervisor of its own, which ends with it.
	supervisor := process.Open(slog.Default())
	child, err := supervisor.Start(spec)
	if err != nil {
		supervisor.Close()
		return nil, err
	}
	go func() {
		child.Wait()
		supervisor.Close()
	}()
	return child, nil
}
