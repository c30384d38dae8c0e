package process

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// launch starts the child from a thread of its own, which then waits for it, as a thread must for
// every child. The thread is what makes PR_SET_PDEATHSIG safe, since that signal comes when the
// thread that forked ends (prctl(2)), and what gives the child a Landlock domain, since a domain
// is a thread's and is inherited.
func (c *Child) launch(cmd *exec.Cmd) error {
	sys := &c.supervisor.sys
	c.oomKills = sys.recentOOMKills()
	c.mark = sys.starting()
	cmd.Env = append(cmd.Env, markName+"="+c.mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	onOwnThread(func() {
		if sys.landlock > 0 {
			if err := enterDomain(sys.landlock); err != nil {
				sys.marks.drop(c.mark)
				started <- err
				return
			}
		}
		if err := c.run(cmd); err != nil {
			var ee *exec.Error
			if errors.As(err, &ee) {
				err = ee.Err
			}
			sys.marks.drop(c.mark)
			started <- err
			return
		}
		sys.guard.track('+', c.PID())
		limit(c.PID())
		started <- nil
		c.wait()
	})
	return <-started
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

// landlockABI returns the version of Landlock that the kernel offers, or 0.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// enterDomain puts the calling thread, and all that it forks, into a Landlock domain of its own.
// The domain itself is the point: a process can only trace, and so read the environment and memory
// of, what is in its own domain or below (landlock(7), "Ptrace restrictions"), and from ABI 6 on
// only signal that. Files are not its affair.
//
// Before ABI 6 Landlock wants to handle some access to files, and whatever that is, it then refuses to
// move and link files from one folder to another, which breaks uv, git and many a server, unless a
// rule allows that (LANDLOCK_ACCESS_FS_REFER). ABI 1 has no such rule: there they have to copy.
func enterDomain(abi int) error {
	attr := unix.LandlockRulesetAttr{}
	switch {
	case abi >= 6:
		attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	case abi >= 2:
		attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_REFER
	default:
		attr.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR // which no server does anyway
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(fd))
	if attr.Handled_access_fs == unix.LANDLOCK_ACCESS_FS_REFER {
		if err := allowEverywhere(fd, unix.LANDLOCK_ACCESS_FS_REFER); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return errno
	}
	// Under root these would let the child past the domain, and no server has a use for them. Who
	// may not drop them does not have them.
	for _, capability := range []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_PERFMON} {
		unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
	}
	return nil
}

// allowEverywhere adds a rule to a ruleset that allows an access to all files.
func allowEverywhere(ruleset uintptr, access uint64) error {
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(root)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, ruleset, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// reap waits for the child and takes its group with it. In between it stays a zombie, so that its
// number is nobody else's.
func (c *Child) reap() error {
	for unix.Waitid(unix.P_PID, c.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.tree.end(c)
	return c.collect()
}

// OutOfMemory reports whether the kernel killed the child for its memory: it was killed, not by us,
// and the kernel says that it killed somebody since the child was started. It is asked after Wait.
func (c *Child) OutOfMemory() bool {
	return !c.killed.Load() && c.state != nil &&
		c.state.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && oomKills() > c.oomKills
}
