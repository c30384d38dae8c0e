package process

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemChild is what Linux needs of a child.
type systemChild struct {
	oomKills  int64 // that there had been when it was started
	mark      mark  // what its descendants carry
	enclosure *enclosure
	fork      *forked // nil for one that was not forked
}

// launch starts the child from a thread of its own, which then waits for it, as a thread must for
// every child. The thread is what makes PR_SET_PDEATHSIG safe, since that signal comes when the
// thread that forked ends (prctl(2)), and what gives the child its walls, since those are a thread's and
// are inherited.
func (c *Child) launch(cmd *exec.Cmd) error {
	sys := &c.supervisor.sys
	enclosure, err := sys.enclose(c.sandbox)
	if err != nil {
		return err
	}
	c.enclosure = enclosure
	c.oomKills = sys.recentOOMKills()
	c.mark = sys.starting()
	if enclosure.home != "" {
		cmd.Env = c.sandbox.Env(enclosure.home, enclosure.temp)
	}
	cmd.Env = append(cmd.Env, markName+"="+c.mark.text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: sys.terminal, Setpgid: !sys.terminal, Pdeathsig: syscall.SIGKILL}
	ready, start, started, limited := make(chan error), make(chan bool), make(chan error), make(chan struct{})
	onOwnThread(func() {
		err := enclosure.enter()
		ready <- err
		if err != nil {
			return
		}
		if !<-start {
			return
		}
		keepDescriptors()
		if err := c.run(cmd); err != nil {
			started <- err
			return
		}
		sys.guard.track('+', c.PID())
		started <- nil
		<-limited // until then no other process has its number
		freeSignalStack()
		c.wait()
	})
	if err = <-ready; err == nil {
		var unstamp func()
		unstamp, err = sys.marks.stamp(c.mark) // here, because it is impossible inside the sandbox
		start <- err == nil
		if err == nil {
			if err = <-started; err == nil {
				limit(c.PID()) // here, because it is impossible inside the sandbox
				close(limited)
			}
			unstamp()
		}
	}
	if err != nil {
		sys.marks.drop(c.mark)
		enclosure.close()
		if ee := (*exec.Error)(nil); errors.As(err, &ee) {
			err = ee.Err
		}
	}
	return err
}

// hasTerminal reports whether this process has a terminal (tty(4)). Its children then lead sessions of their own: else
// they would have that terminal, too, could ask on it, and would be stopped when they read from it. Without a terminal,
// as on Azure, a process group is enough, and much cheaper: a scheduler that groups tasks by session
// (sched(7), autogroup) takes a quarter of the calls per second from an app whose children are each a session.
func hasTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// keepDescriptors keeps children from the descriptors of this process, which its other parts, or who started it, may
// have left open for them.
func keepDescriptors() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// openFiles is how many files a child may have open, at first and at most.
const (
	openFiles     = 4 << 10
	mostOpenFiles = 64 << 10
)

// limit bounds what a child may take. A core would hold the secrets of its environment, and fill the
// disk; files that are opened and never closed would fill the system's table, which is everyone's.
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
// The process's first thread is not for f: it does not end, and it represents the whole process when
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

// freeSignalStack gives the memory of this thread's signal stack back, until a signal comes. The Go runtime gives each
// thread one of 32 KiB, often in pages that were in use before.
func freeSignalStack() {
	var stack struct { // stack_t
		base  uintptr
		flags int32
		size  uintptr
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&stack)), 0); errno == 0 && stack.flags == 0 {
		unix.RawSyscall(unix.SYS_MADVISE, stack.base, stack.size, unix.MADV_DONTNEED)
	}
}

// reap waits for the child and takes its group with it. In between it stays a zombie, so that its
// number is not reused.
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
// and the kernel says that it killed someone since the child was started. It is asked after Wait.
func (c *Child) OutOfMemory() bool {
	return !c.killed.Load() && c.status.Signal() == syscall.SIGKILL && oomKills() > c.oomKills
}
