package process

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// hostile tries on the process with the number args[0] what the same user may do to it, on itself what it
// needs, and to take its mark off. It prints what succeeded, a word a line.
func hostile(args []string) {
	switch args[0] {
	case "sandboxed":
		sandboxed(args[1:])
		return
	case "write":
		if writes(args[1]) != nil {
			os.Exit(1)
		}
		return
	}
	switch args[0] {
	case "dial":
		dial(args[1], args[2])
		return
	case "join":
		join(args[1])
		return
	}
	pid, _ := strconv.Atoi(args[0])
	try := func(what string, err error) {
		if err == nil || err == syscall.Errno(0) {
			fmt.Println(what)
		}
	}
	raw := func(number uintptr, args ...uintptr) error {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
		return errno
	}
	limit := func(cur uint64) *unix.Rlimit { return &unix.Rlimit{Cur: cur, Max: unix.RLIM_INFINITY} }
	write := func(path, text string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(text)
		return err
	}
	var scheduled [16]uint32
	scheduled[0] = uint32(unsafe.Sizeof(scheduled))
	var none unix.Rlimit
	const high = 1 << 32 // above what the kernel reads of an int

	try("prlimit of another", unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1 << 40, Max: 1 << 40}, nil))
	try("prlimit of another's files", unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 9, Max: 1 << 9}, nil))
	try("setpriority of another", unix.Setpriority(unix.PRIO_PROCESS, pid, 19))
	try("setpriority of all", unix.Setpriority(unix.PRIO_USER, 0, 19))
	try("setpriority of all, in 64 bits", raw(unix.SYS_SETPRIORITY, high|unix.PRIO_USER, 0, 19))
	try("setpriority of another's group", unix.Setpriority(unix.PRIO_PGRP, pid, 19))
	try("ioprio_set of another", raw(unix.SYS_IOPRIO_SET, 1, uintptr(pid), 3<<13))
	try("ioprio_set of all", raw(unix.SYS_IOPRIO_SET, 3, 0, 3<<13))
	try("sched_setscheduler of another", raw(unix.SYS_SCHED_SETSCHEDULER, uintptr(pid), unix.SCHED_BATCH, uintptr(unsafe.Pointer(new(int32)))))
	try("sched_setaffinity of another", unix.SchedSetaffinity(pid, &unix.CPUSet{1}))
	try("sched_setparam of another", raw(unix.SYS_SCHED_SETPARAM, uintptr(pid), uintptr(unsafe.Pointer(new(int32)))))
	try("sched_setattr of another", raw(unix.SYS_SCHED_SETATTR, uintptr(pid), uintptr(unsafe.Pointer(&scheduled)), 0))
	try("oom_score_adj of another", write(fmt.Sprintf("/proc/%d/oom_score_adj", pid), "900"))
	try("timerslack of another", write(fmt.Sprintf("/proc/%d/timerslack_ns", pid), "1"))
	try("autogroup of another", write(fmt.Sprintf("/proc/%d/autogroup", pid), "10"))
	try("signal to another", syscall.Kill(pid, syscall.SIGCONT))
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		panic(err)
	}
	info := siginfo(syscall.SIGCONT)
	try("signal to a thread of another", unix.Tgkill(pid, pid, syscall.SIGCONT))
	try("signal with a value to another", raw(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(syscall.SIGCONT), uintptr(unsafe.Pointer(&info))))
	try("signal by a descriptor of another", unix.PidfdSendSignal(pidfd, syscall.SIGCONT, nil, 0))
	signalByFile(pid)
	try("ptrace of another", unix.PtraceAttach(pid))
	try("a descriptor of another", descriptorOf(pid))
	try("memory of another by descriptor", raw(unix.SYS_PROCESS_MADVISE, uintptr(pidfd), uintptr(unsafe.Pointer(&unix.Iovec{Base: new(byte), Len: 1})), 1, unix.MADV_COLD, 0))
	try("memory of another moved", raw(unix.SYS_MIGRATE_PAGES, uintptr(pid), 8, uintptr(unsafe.Pointer(new(uint64))), uintptr(unsafe.Pointer(new(uint64)))))
	try("memory of another written", vmWrite(pid))
	try("files of another compared", raw(unix.SYS_KCMP, uintptr(os.Getpid()), uintptr(pid), 2, 0, 0))
	try("locks of another", raw(unix.SYS_GET_ROBUST_LIST, uintptr(pid), uintptr(unsafe.Pointer(new(uintptr))), uintptr(unsafe.Pointer(new(uintptr)))))
	try("events of another", func() error {
		_, err := unix.PerfEventOpen(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}, pid, -1, -1, 0)
		return err
	}())
	try("core scheduling with another", unix.Prctl(unix.PR_SCHED_CORE, unix.PR_SCHED_CORE_SHARE_TO, uintptr(pid), 0, 0))
	for _, path := range cgroups {
		try("control group of another: "+path, write(path, strconv.Itoa(pid)))
	}
	try("memory of another", func() error {
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err == nil {
			f.Close()
		}
		return err
	}())
	try("mark taken off", unix.Setrlimit(unix.RLIMIT_RTTIME, limit(unix.RLIM_INFINITY)))
	try("mark taken off by prlimit", unix.Prlimit(0, unix.RLIMIT_RTTIME, limit(1), nil))
	try("mark taken off, in 64 bits", raw(unix.SYS_PRLIMIT64, 0, high|unix.RLIMIT_RTTIME, uintptr(unsafe.Pointer(limit(1))), 0))
	try("mark taken off by number", unix.Prlimit(os.Getpid(), unix.RLIMIT_RTTIME, limit(1), nil))

	// Whose group it has joined, it names by naming its own.
	if group, err := unix.Getpgid(pid); err == nil {
		unix.Setpgid(0, group)
	}
	try("setpriority of the group that it joined", unix.Setpriority(unix.PRIO_PGRP, 0, 19))
	try("setpriority of that group, in 64 bits", raw(unix.SYS_SETPRIORITY, high|unix.PRIO_PGRP, 0, 19))
	try("ioprio_set of the group that it joined", raw(unix.SYS_IOPRIO_SET, 2, 0, 3<<13))

	// What servers do.
	try("own: reads limits", unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &none))
	try("own: sets a limit", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
	try("own: is nice", unix.Setpriority(unix.PRIO_PROCESS, 0, 19)) // which it may whatever it is
	try("own: writes a file", os.WriteFile(os.TempDir()+"/walls-"+strconv.Itoa(os.Getpid()), nil, 0o600))
	try("own: starts a program", exec.Command("/bin/true").Run())
	os.Remove(os.TempDir() + "/walls-" + strconv.Itoa(os.Getpid()))
}

// cgroups are files that take the number of a process into a control group, as systems mount them. That of the root
// does so without effect.
var cgroups = []string{
	"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/freezer/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs",
}

// siginfo is a siginfo_t of sigqueue(3).
func siginfo(sig syscall.Signal) (info [128]byte) {
	const queued = -1
	*(*int32)(unsafe.Pointer(&info[0])) = int32(sig)
	code := int32(queued)
	*(*int32)(unsafe.Pointer(&info[8])) = code
	return info
}

// signalByFile has the kernel send SIGIO, which ends a process that does not expect it.
func signalByFile(pid int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		panic(err)
	}
	unix.FcntlInt(uintptr(pair[0]), unix.F_SETOWN, pid)
	unix.FcntlInt(uintptr(pair[0]), unix.F_SETFL, unix.O_ASYNC)
	unix.Write(pair[1], []byte("x"))
}

// vmWrite succeeds where process_vm_writev lets the caller in.
func vmWrite(pid int) error {
	local, remote := []unix.Iovec{{Base: &one[0], Len: 1}}, []unix.RemoteIovec{{Base: 1 << 20, Len: 1}}
	if _, err := unix.ProcessVMWritev(pid, local, remote, 0); err != unix.EFAULT {
		return err
	}
	return nil
}

// join starts a daemon that hides in the process group of another process, as far as it can.
func join(group string) {
	if len(group) > 0 && group[0] != '+' {
		again := exec.Command("/proc/self/exe", "hostile", "join", "+"+group)
		again.Stdout = os.Stdout
		if err := again.Start(); err != nil {
			panic(err)
		}
		io.Copy(io.Discard, os.Stdin)
		return
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	pgid, _ := strconv.Atoi(group[1:])
	err := unix.Setpgid(0, pgid)
	fmt.Println(os.Getpid(), err == nil)
	time.Sleep(time.Hour) // and not select, in which Go sees a deadlock, and ends
}

// A child with the app's user id can do nothing to the app or to a sibling, and everything that a server needs.
func TestChildrenCannotHarmOthers(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	if s.sys.walls.abi < 6 || s.sys.walls.filter == nil {
		testlimit.Lack(t, "this kernel has no walls to test: %s", s.Isolation())
	}
	victim := shell(t, s, `echo ready; cat`)
	line(t, victim)
	want := []string{"own: reads limits", "own: sets a limit", "own: is nice", "own: writes a file", "own: starts a program"}
	for name, pid := range map[string]int{"sibling": victim.PID(), "app": os.Getpid()} {
		c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", strconv.Itoa(pid)}, Env: []string{"TMPDIR=" + t.TempDir()}})
		if err != nil {
			t.Fatal(err)
		}
		did, _ := io.ReadAll(c)
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(did)), "\n")); diff != "" {
			t.Errorf("a child did to the %s (-want +got):\n%s", name, diff)
		}
		if !alive(victim.PID()) {
			t.Errorf("the sibling has ended, after a child tried to harm the %s", name)
		}
	}
}

// Root has means that others do not have, so both are tried.
func TestWallsHoldForNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else; the tests of this package ran as who they are")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "walls-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run", "^(TestNothingSurvives.*|TestChildrenCannot.*|TestForgedMarksDoNotHelp|TestPinnedMark.*|TestPeerIsKnown|TestSandbox.*|TestHomes.*)$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n--- PASS") < 12 {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// Root itself gets no capability by which a child could reach past its domain.
func TestReachingCapabilitiesAreDropped(t *testing.T) {
	s := open(t)
	if s.sys.walls.abi == 0 {
		testlimit.Lack(t, "this kernel has no Landlock")
	}
	var bounds uint64
	if _, err := fmt.Sscanf(line(t, shell(t, s, `grep ^CapBnd /proc/self/status`)), "CapBnd: %x", &bounds); err != nil {
		t.Fatal(err)
	}
	for _, capability := range []uint{unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_CHECKPOINT_RESTORE, unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_BPF} {
		if bounds>>capability&1 != 0 && os.Getuid() == 0 {
			t.Errorf("capability %d is left", capability)
		}
	}
}
