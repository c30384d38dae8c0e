package process

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Landlock does not ask about modes and times of files: the owner of a file changes them. So a child that may
// not write has a seccomp filter by which the kernel passes such a call on to an attendant. It looks for the file
// itself, as the child means it, and changes it if it is where the child may write. What it looked at is what
// it changes, so that nothing is won by changing the path in between. An owner can be set to what it is, as programs
// do that copy; another one, and extended attributes, are refused.
//
// A program finds out nothing of this but that such a call takes longer.
type attendant struct {
	file     *os.File  // the listener
	write    []string  // real paths
	reporter *reporter // nil for none
	done     chan struct{}
}

// A notification is struct seccomp_notif: a call of a process that waits for its answer.
type notification struct {
	id           uint64
	pid, flags   uint32
	number, arch int32
	instruction  uint64
	args         [6]uint64
}

// A verdict is struct seccomp_notif_resp.
type verdict struct {
	id    uint64
	value int64
	errno int32 // negative
	flags uint32
}

// attend gives the calling thread, and all that it forks, a filter, and answers for it until close.
func attend(filter Filter, write []string, reporter *reporter) (*attendant, error) {
	program := filter.program()
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return nil, errno
	}
	unix.SetNonblock(int(fd), true) // or it cannot be waited for without a thread
	a := &attendant{file: os.NewFile(fd, "seccomp"), write: write, reporter: reporter, done: make(chan struct{})}
	go a.run()
	return a, nil
}

// close answers no more. It is called when the child is gone.
func (a *attendant) close() {
	a.file.Close()
	<-a.done
}

func (a *attendant) run() {
	defer close(a.done)
	raw, err := a.file.SyscallConn()
	if err != nil {
		return
	}
	for err == nil {
		more := true
		err = raw.Read(func(fd uintptr) bool {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(poll, 0)
			switch {
			case err == unix.EINTR || n == 0 && err == nil:
				return err != nil
			case err != nil || poll[0].Revents&unix.POLLIN == 0:
				more = false // no process is left that could ask
			default:
				a.answer(fd)
			}
			return true
		})
		if !more {
			return
		}
	}
}

// answer takes one call.
func (a *attendant) answer(listener uintptr) {
	var n notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return // the process that asked has ended
	}
	v := verdict{id: n.id}
	waits := func() bool {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_ID_VALID, uintptr(unsafe.Pointer(&n.id)))
		return errno == 0
	}
	goesOn, err := a.reporter.look(a, &n)
	if !goesOn && err == nil {
		err = a.change(&n, waits)
	}
	if goesOn {
		v.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	} else if err != nil {
		errno := unix.EPERM
		errors.As(err, &errno)
		v.errno = -int32(errno)
	}
	unix.Syscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&v)))
}

// change does what a call asks for. waits reports whether the process of the call still waits. If it does, no other
// process has its number.
func (a *attendant) change(n *notification, waits func() bool) error {
	t := target{pid: int(n.pid), dir: unix.AT_FDCWD}
	var mode, user, group uint32
	var times uint64
	owns := false
	switch n.number {
	case sysChown, sysLchown:
		t.path, user, group, owns = n.args[0], uint32(n.args[1]), uint32(n.args[2]), true
		if n.number == sysLchown {
			t.flags = unix.AT_SYMLINK_NOFOLLOW
		}
	case unix.SYS_FCHOWN:
		t.dir, user, group, owns = int(int32(n.args[0])), uint32(n.args[1]), uint32(n.args[2]), true
	case unix.SYS_FCHOWNAT:
		t.dir, t.path, user, group, owns = int(int32(n.args[0])), n.args[1], uint32(n.args[2]), uint32(n.args[3]), true
		t.flags = int(n.args[4])
	case sysChmod:
		t.path, mode = n.args[0], uint32(n.args[1])
	case unix.SYS_FCHMOD:
		t.dir, mode = int(int32(n.args[0])), uint32(n.args[1])
	case unix.SYS_FCHMODAT:
		t.dir, t.path, mode = int(int32(n.args[0])), n.args[1], uint32(n.args[2])
	case unix.SYS_FCHMODAT2:
		t.dir, t.path, mode, t.flags = int(int32(n.args[0])), n.args[1], uint32(n.args[2]), int(n.args[3])
	case unix.SYS_UTIMENSAT:
		t.dir, t.path, times, t.flags = int(int32(n.args[0])), n.args[1], n.args[2], int(n.args[3])
	default:
		return unix.EPERM
	}
	stamps := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if times != 0 {
		if err := t.read(times, unsafe.Slice((*byte)(unsafe.Pointer(&stamps[0])), 2*unsafe.Sizeof(stamps[0]))); err != nil {
			return err
		}
	}
	fd, err := t.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !waits() || !a.mayChange(fd) {
		return unix.EPERM
	}
	if owns {
		return keepsOwner(fd, user, group)
	}
	file := "/proc/self/fd/" + strconv.Itoa(fd)
	if n.number == unix.SYS_UTIMENSAT {
		return unix.UtimesNanoAt(unix.AT_FDCWD, file, stamps, 0)
	}
	return unix.Fchmodat(unix.AT_FDCWD, file, mode&0o1777, 0)
}

// keepsOwner returns nil if a file has this user and group already; the largest number is for any.
func keepsOwner(fd int, user, group uint32) error {
	const any = 1<<32 - 1
	var st unix.Stat_t
	if err := unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if user != any && user != st.Uid || group != any && group != st.Gid {
		return unix.EPERM
	}
	return nil
}

// mayChange reports whether a file is where the child may write.
func (a *attendant) mayChange(fd int) bool {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err == nil && a.writable(path)
}

// writable reports whether a real path is where the child may write.
func (a *attendant) writable(path string) bool {
	return slices.ContainsFunc(a.write, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}

// A target is a file as a call names it.
type target struct {
	pid   int
	dir   int    // a descriptor of the process, or AT_FDCWD
	path  uint64 // where the process has it; 0 for dir itself
	flags int
}

const maxPath = 4096

// open opens the file without access to what is in it.
func (t *target) open() (fd int, err error) {
	path, err := t.text()
	if err != nil {
		return -1, err
	}
	own := "/proc/" + strconv.Itoa(t.pid)
	for _, self := range []string{"/proc/self", "/proc/thread-self", own} { // as C libraries name a descriptor
		if number, ok := strings.CutPrefix(path, self+"/fd/"); ok {
			if t.dir, err = strconv.Atoi(number); err != nil {
				return -1, unix.EPERM
			}
			path = ""
			break
		}
	}
	from := own + "/cwd"
	if t.dir != unix.AT_FDCWD {
		from = own + "/fd/" + strconv.Itoa(t.dir)
	}
	if path == "" {
		return unix.Open(from, unix.O_PATH|unix.O_CLOEXEC, 0)
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if t.flags&unix.AT_SYMLINK_NOFOLLOW != 0 {
		how.Flags |= unix.O_NOFOLLOW
	}
	base := unix.AT_FDCWD
	if path[0] != '/' {
		if base, err = unix.Open(from, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
			return -1, err
		}
		defer unix.Close(base)
	}
	return unix.Openat2(base, path, &how)
}

// text reads the path.
func (t *target) text() (string, error) {
	if t.path == 0 {
		return "", nil
	}
	text := make([]byte, 0, maxPath)
	for len(text) < maxPath {
		address := t.path + uint64(len(text))
		part := make([]byte, min(256-address%256, uint64(maxPath-len(text)))) // never into a page that is not there
		if err := t.read(address, part); err != nil {
			return "", err
		}
		if end := bytes.IndexByte(part, 0); end >= 0 {
			return string(append(text, part[:end]...)), nil
		}
		text = append(text, part...)
	}
	return "", unix.ENAMETOOLONG
}

// read fills data with what the process has at an address. It goes by a file and not by process_vm_readv(2), which
// containers may refuse.
func (t *target) read(address uint64, data []byte) error {
	memory, err := os.Open("/proc/" + strconv.Itoa(t.pid) + "/mem")
	if err != nil {
		return err
	}
	defer memory.Close()
	if _, err := memory.ReadAt(data, int64(address)); err != nil {
		return unix.EFAULT
	}
	return nil
}
