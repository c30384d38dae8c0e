package process

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// launch starts the child from a thread of its own, which then waits for it, as a thread must for
// every child. The thread is what makes PR_SET_PDEATHSIG safe, since that signal comes when the
// thread that forked ends (prctl(2)), and what gives the child its walls, since those are a thread's and
// are inherited.
func (c *Child) launch(cmd *exec.Cmd) error {
	sys := &c.supervisor.sys
	c.oomKills = sys.recentOOMKills()
	c.mark = sys.starting()
	cmd.Env = append(cmd.Env, markName+"="+c.mark.text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	ready, start, started := make(chan error), make(chan bool), make(chan error)
	onOwnThread(func() {
		err := sys.walls.enter()
		ready <- err
		if err != nil {
			return
		}
		if !<-start {
			return
		}
		if err := c.run(cmd); err != nil {
			started <- err
			return
		}
		sys.guard.track('+', c.PID())
		limit(c.PID())
		started <- nil
		c.wait()
	})
	err := <-ready
	if err == nil {
		var unstamp func()
		unstamp, err = sys.marks.stamp(c.mark) // here, since nobody can behind the walls
		start <- err == nil
		if err == nil {
			err = <-started
			unstamp()
		}
	}
	if err != nil {
		sys.marks.drop(c.mark)
		if ee := (*exec.Error)(nil); errors.As(err, &ee) {
			err = ee.Err
		}
	}
	return err
}

// openFiles is how many files a child may have open, at first and at most.
const (
	openFiles     = 4 << 10
	mostOpenFiles = 64 << 10
)

// limit bounds what a child may take. A core would hold the secrets of its environment, and fill the
// disk; files that are opened and never closed would fill the system's table, which is everybody's.
func limit(pid int) {
	unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil)
	var files unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &files) == nil {
		files.Max = min(files.Max, mostOpenFiles)
		files.Cur = min(max(files.Cur, openFiles), files.Max)
		unix.Prlimit(pid, unix.RLIMIT_NOFILE, &files, nil)
	}
}

// onOwnThread runs f in a goroutine that has a thread to itself. A goroutine that ends while it is
// locked takes its thread along, so what f does to the thread reaches nothing else.
//
// The process's first thread is not for f: it does not end, and it stands for the whole process when
// another one wants to signal or trace that, which would find it in its own domain.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		locked := make(chan struct{})
		go func() { // on another thread, as this one is taken
			runtime.LockOSThread()
			close(locked)
			f()
		}()
		<-locked
		runtime.UnlockOSThread()
	}()
}

// reap waits for the child and takes its group with it. In between it stays a zombie, so that its
// number is nobody else's.
func (c *Child) reap() error {
	if c.fork != nil {
		return c.fork.reap(c)
	}
	for unix.Waitid(unix.P_PID, c.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.tree.end(c)
	return c.collect()
}

// OutOfMemory reports whether the kernel killed the child for its memory: it was killed, not by us,
// and the kernel says that it killed somebody since the child was started. It is asked after Wait.
func (c *Child) OutOfMemory() bool {
	return !c.killed.Load() && c.status.Signal() == syscall.SIGKILL && oomKills() > c.oomKills
}
