package mcpfunc

import (
	"context"
	"io"
	"log/slog"

	"github.com/mcpfunc/mcpfunc/internal/process"
)

// A Launcher starts server processes. A custom one usually changes s and passes it on to ExecLauncher. Launch is
// called from many goroutines at once. env is the complete environment of the process, as NAME=VALUE; ctx ends
// with the session.
type Launcher interface {
	Launch(ctx context.Context, s Server, env []string) (Process, error)
}

// A LauncherFunc is a function that implements Launcher.
type LauncherFunc func(ctx context.Context, s Server, env []string) (Process, error)

// Launch calls f.
func (f LauncherFunc) Launch(ctx context.Context, s Server, env []string) (Process, error) {
	return f(ctx, s, env)
}

// A Process is a running server. Read reads its stdout, Write writes its stdin, and Close closes its stdin,
// which asks it to stop. Write, Close, Wait and Kill may be called while Read blocks.
//
// A Process may also have the method Stderr() io.Reader, which the App then reads into the log, and the method
// Terminate() error, which asks the process to stop more firmly, as SIGTERM does.
type Process interface {
	io.ReadWriteCloser
	Wait() error // returns when the process has ended; what it wrote before that can still be read
	Kill() error // ends the process and everything that it started, at once
}

// ExecLauncher runs servers as child processes. Each has its own process group and dies with the program, and
// what it has started ends with it; App.ListenAndServe says what that requires. On Linux with Landlock, a
// process can neither signal its siblings nor read their memory or environment, and Server.Sandbox applies.
// Processes of a packed Python server are forked from one that has already imported its modules, if packing
// found that possible.
type ExecLauncher struct{}

// Launch starts s.Command with exactly the environment env, except that HOME, TMPDIR and the cache folders are the
// process's own if s.Sandbox is ReadOnly. If the program cannot be started, the error is a *CommandError.
func (ExecLauncher) Launch(ctx context.Context, s Server, env []string) (Process, error) {
	box, env := s.own(env)
	spec := process.Spec{Command: s.Command, Args: s.Args, Env: env, Dir: s.Dir, Sandbox: box}
	if supervisor, ok := process.From(ctx); ok {
		if s.forks != nil {
			child, err := s.forks.Start(ctx, spec)
			if err == nil || ctx.Err() != nil {
				return child, err
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
