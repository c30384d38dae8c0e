package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A world is what a sandboxed child is told of what there is to reach.
type world struct {
	Outside string // a folder that it owns and may not change: see newOutside
	Inside  string // one that it may
	TCP     int    // ports of 127.0.0.1 and ::1 that are not on its list
	TCP6    int
	UDP     int
	Allowed int // a port that is on its list; 0 for none
	Path    string
	Packets string // a socket of datagrams
	Name    string // of an abstract socket
	Victim  int    // process ids
	App     int
}

// A try is what a hostile child does. It has escaped if that is not an error.
type try struct {
	name string
	do   func(w world) error
}

func syscallError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return syscallError(errno)
}

// text is a path as the kernel takes it.
func text(path string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(path + "\x00"))) }

// socket makes a socket and closes it.
func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func dials(network, addr string) error {
	c, err := net.DialTimeout(network, addr, 5*time.Second)
	if err == nil {
		c.Close()
	}
	return err
}

// netTries are against "none" and a list of ports.
var netTries = []try{
	{"TCP to a port that is not listed", func(w world) error { return dials("tcp", fmt.Sprint("127.0.0.1:", w.TCP)) }},
	{"TCP over IPv6", func(w world) error { return dials("tcp", fmt.Sprint("[::1]:", w.TCP6)) }},
	{"TCP to IPv4 by an IPv6 socket", func(w world) error {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrInet6{Port: w.TCP, Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}})
	}},
	{"multipath TCP", func(w world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 262)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrInet4{Port: w.TCP, Addr: [4]byte{127, 0, 0, 1}})
	}},
	{"TCP fast open by sendto", func(w world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Port: w.TCP, Addr: [4]byte{127, 0, 0, 1}})
	}},
	{"TCP fast open by sendmsg", func(w world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendmsg(fd, []byte("x"), nil, &unix.SockaddrInet4{Port: w.TCP, Addr: [4]byte{127, 0, 0, 1}}, unix.MSG_FASTOPEN)
	}},
	{"TCP that becomes SMC", func(world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		err = unix.SetsockoptString(fd, unix.SOL_TCP, unix.TCP_ULP, "smc")
		if errors.Is(err, unix.ENOENT) {
			return nil // the kernel was asked
		}
		return err
	}},
	{"a port of its own", func(world) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			l.Close()
		}
		return err
	}},
	{"a port that the kernel chooses", func(world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Listen(fd, 1)
	}},
	{"UDP", func(w world) error { return dials("udp", fmt.Sprint("127.0.0.1:", w.UDP)) }},
	{"UDP over IPv6", func(world) error { return socket(unix.AF_INET6, unix.SOCK_DGRAM, 0) }},
	{"UDP-Lite", func(world) error { return socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE) }},
	{"ping", func(world) error { return socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP) }},
	{"raw sockets", func(world) error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }},
	{"raw sockets over IPv6", func(world) error { return socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6) }},
	{"packets", func(world) error { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0x300) }},
	{"packets by the old type", func(world) error { return socket(unix.AF_INET, unix.SOCK_PACKET, 0x300) }},
	{"SCTP", func(world) error { return refusedEarly(socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)) }},
	{"SCTP in packets", func(world) error { return refusedEarly(socket(unix.AF_INET, unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP)) }},
	{"DCCP", func(world) error { return refusedEarly(socket(unix.AF_INET, unix.SOCK_DCCP, 0)) }},
	{"SMC", func(world) error { return refusedEarly(socket(unix.AF_SMC, unix.SOCK_STREAM, 0)) }},
	{"SMC by protocol", func(world) error { return refusedEarly(socket(unix.AF_INET, unix.SOCK_STREAM, 256)) }},
	{"VSOCK", func(world) error { return refusedEarly(socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)) }},
	{"TIPC", func(world) error { return refusedEarly(socket(unix.AF_TIPC, unix.SOCK_RDM, 0)) }},
	{"XDP", func(world) error { return refusedEarly(socket(unix.AF_XDP, unix.SOCK_RAW, 0)) }},
	{"Bluetooth", func(world) error { return refusedEarly(socket(unix.AF_BLUETOOTH, unix.SOCK_RAW, 1)) }},
	{"the kernel's ciphers", func(world) error { return refusedEarly(socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)) }},
	{"netlink of sockets", func(world) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG) }},
	{"netlink of users", func(world) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_USERSOCK) }},
	{"netlink of devices", func(world) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT) }},
	{"netlink of families", func(world) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC) }},
	{"a family in 64 bits", func(world) error { return call(unix.SYS_SOCKET, 1<<32|unix.AF_INET, unix.SOCK_DGRAM, 0) }},
	{"a protocol in 64 bits", func(world) error { return call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 1<<32|262) }},
	{"a Unix socket by path", func(w world) error { return dials("unix", w.Path) }},
	{"an abstract Unix socket", func(w world) error { return dials("unix", "@"+w.Name) }},
	{"a datagram from a pair to a path", func(w world) error {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		return unix.Sendto(pair[0], []byte("x"), 0, &unix.SockaddrUnix{Name: w.Packets})
	}},
	{"a raw pair", func(world) error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_RAW, 0); return err }},
	{"io_uring", func(world) error {
		var params [120]byte
		return call(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)))
	}},
	{"a socket of the app", func(w world) error { return descriptorOf(w.App) }},
}

// refusedEarly is nil unless it is our filter that has refused: a kernel without a family has others words.
func refusedEarly(err error) error {
	if err == unix.EACCES {
		return err
	}
	return nil
}

// descriptorOf takes a descriptor from another process.
func descriptorOf(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.PidfdGetfd(fd, 1, 0)
	return err
}

func writes(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("hostile")
	return err
}

// fresh makes a file that is the child's own.
func fresh(w world) string {
	f, err := os.CreateTemp(w.Inside, "own")
	if err != nil {
		panic(err)
	}
	f.Close()
	return f.Name()
}

// ioctlTry is an ioctl(2) that changes a file which is open for reading. Few file systems know it, so that it counts who
// refuses it.
func ioctlTry(number uintptr) func(world) error {
	return func(w world) error {
		return through(w, func(fd int) error {
			err := call(unix.SYS_IOCTL, uintptr(fd), number, 0)
			if err == unix.EPERM || err == unix.EOPNOTSUPP {
				return err
			}
			return nil
		})
	}
}

// through runs f with a descriptor of a file outside that is open for reading.
func through(w world, f func(fd int) error) error {
	fd, err := unix.Open(w.Outside+"/file", unix.O_RDONLY, 0)
	if err != nil {
		return nil // it is readable: nothing was tried
	}
	defer unix.Close(fd)
	return f(fd)
}

// swapped runs f with a path again and again, while what it leads to changes between a file of the child's own and
// one outside.
func swapped(w world, f func(path string) error) error {
	dir, err := os.MkdirTemp(w.Inside, "swap")
	if err != nil {
		panic(err)
	}
	os.Mkdir(dir+"/own", 0o700)
	os.WriteFile(dir+"/own/file", nil, 0o600)
	os.Symlink(dir+"/own", dir+"/a")
	os.Symlink(w.Outside, dir+"/b")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, dir+"/a", unix.AT_FDCWD, dir+"/b", unix.RENAME_EXCHANGE)
			}
		}
	}()
	for range 300 {
		f(dir + "/a/file")
	}
	close(stop)
	<-done
	return unix.EACCES // what came of it shows outside
}

const ipcPrivate, ipcRemove = 0, 0 // linux/ipc.h

// shared makes something that is shared by user id, of a size or with a mode, and removes it.
func shared(get, control uintptr, size uintptr) error {
	id, _, errno := syscall.Syscall(get, ipcPrivate, size, 0o600)
	switch {
	case errno != 0:
	case control == unix.SYS_SEMCTL:
		syscall.Syscall(control, id, 0, ipcRemove)
	default:
		syscall.Syscall(control, id, ipcRemove, 0)
	}
	return syscallError(errno)
}

var (
	zeroTimes = []unix.Timespec{{}, {}}
	one       = []byte("1")
)

// fileTries are against "write". None may change what is outside, which is looked at when all have been made.
var fileTries = []try{
	{"a new file", func(w world) error { return writes(w.Outside + "/new") }},
	{"a file that is there", func(w world) error { return writes(w.Outside + "/file") }},
	{"truncate", func(w world) error { return unix.Truncate(w.Outside+"/file", 0) }},
	{"truncate by opening", func(w world) error {
		_, err := unix.Open(w.Outside+"/file", unix.O_RDONLY|unix.O_TRUNC, 0)
		return err
	}},
	{"a file without a name", func(w world) error {
		fd, err := unix.Open(w.Outside, unix.O_TMPFILE|unix.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprint("/proc/self/fd/", fd), unix.AT_FDCWD, w.Outside+"/linked", unix.AT_SYMLINK_FOLLOW)
	}},
	{"rename outside", func(w world) error { return os.Rename(w.Outside+"/file", w.Outside+"/other") }},
	{"rename to outside", func(w world) error { return os.Rename(fresh(w), w.Outside+"/file") }},
	{"rename from outside", func(w world) error { return os.Rename(w.Outside+"/file", w.Inside+"/stolen") }},
	{"exchange with outside", func(w world) error {
		return unix.Renameat2(unix.AT_FDCWD, fresh(w), unix.AT_FDCWD, w.Outside+"/file", unix.RENAME_EXCHANGE)
	}},
	{"hard link to outside", func(w world) error { return os.Link(fresh(w), w.Outside+"/linked") }},
	{"hard link from outside", func(w world) error {
		os.Remove(w.Inside + "/linked")
		if err := os.Link(w.Outside+"/file", w.Inside+"/linked"); err != nil {
			return err
		}
		return writes(w.Inside + "/linked")
	}},
	{"by a symbolic link", func(w world) error {
		os.Remove(w.Inside + "/way")
		if err := os.Symlink(w.Outside+"/file", w.Inside+"/way"); err != nil {
			return err
		}
		return writes(w.Inside + "/way")
	}},
	{"by a link that is swapped", func(w world) error { return swapped(w, writes) }},
	{"unlink", func(w world) error { return os.Remove(w.Outside + "/file") }},
	{"rmdir", func(w world) error { return os.Remove(w.Outside + "/dir") }},
	{"mkdir", func(w world) error { return os.Mkdir(w.Outside+"/made-dir", 0o700) }},
	{"symlink", func(w world) error { return os.Symlink("x", w.Outside+"/made-link") }},
	{"a pipe with a name", func(w world) error { return unix.Mkfifo(w.Outside+"/made-pipe", 0o600) }},
	{"a file by mknod", func(w world) error { return unix.Mknod(w.Outside+"/made", unix.S_IFREG|0o600, 0) }},
	{"a device", func(w world) error {
		return unix.Mknod(w.Inside+"/device", unix.S_IFBLK|0o600, int(unix.Mkdev(254, 0)))
	}},
	{"a socket", func(w world) error {
		l, err := net.Listen("unix", w.Outside+"/made-socket")
		if err == nil {
			l.Close()
		}
		return err
	}},
	{"a descriptor that is opened again", func(w world) error {
		return through(w, func(fd int) error { return writes(fmt.Sprint("/proc/self/fd/", fd)) })
	}},
	{"by /proc/self/root", func(w world) error { return writes("/proc/self/root" + w.Outside + "/file") }},
	{"by the root of the app", func(w world) error { return writes(fmt.Sprint("/proc/", w.App, "/root", w.Outside, "/file")) }},
	{"by a handle", func(w world) error {
		handle, mount, err := unix.NameToHandleAt(unix.AT_FDCWD, w.Outside+"/file", 0)
		if err != nil {
			return err
		}
		_ = mount
		dir, err := unix.Open(w.Outside, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		_, err = unix.OpenByHandleAt(dir, handle, unix.O_WRONLY)
		return err
	}},
	{"a shared mapping", func(w world) error {
		return through(w, func(fd int) error {
			_, err := unix.Mmap(fd, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			return err
		})
	}},
	{"allocation", func(w world) error {
		return through(w, func(fd int) error { return unix.Fallocate(fd, 0, 0, 1<<20) })
	}},
	{"a lease, for which others wait", func(w world) error {
		return through(w, func(fd int) error {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
			return err
		})
	}},
	{"chmod", func(w world) error { return unix.Chmod(w.Outside+"/file", 0o777) }},
	{"fchmod", func(w world) error {
		return through(w, func(fd int) error { return unix.Fchmod(fd, 0o777) })
	}},
	{"fchmodat2", func(w world) error {
		return call(unix.SYS_FCHMODAT2, uintptr(1<<64-100), text(w.Outside+"/file"), 0o777, 0)
	}},
	{"chmod of a descriptor by its path", func(w world) error {
		return through(w, func(fd int) error { return unix.Chmod(fmt.Sprint("/proc/self/fd/", fd), 0o777) })
	}},
	{"chmod from inside", func(w world) error { return unix.Chmod(w.Inside+"/../outside/file", 0o777) }},
	{"chmod by a link", func(w world) error { return unix.Chmod(w.Inside+"/way", 0o777) }},
	{"chmod by a link that is swapped", func(w world) error {
		return swapped(w, func(path string) error { return unix.Chmod(path, 0o777) })
	}},
	{"chmod of a folder with a like name", func(w world) error { return unix.Chmod(w.Inside+"-not", 0o777) }},
	{"setuid in its own folder", func(w world) error {
		file := fresh(w)
		if err := unix.Chmod(file, unix.S_ISUID|0o755); err != nil {
			return err
		}
		if info, err := os.Stat(file); err != nil || info.Mode()&fs.ModeSetuid == 0 {
			return unix.EPERM
		}
		return nil
	}},
	{"chown", func(w world) error { return os.Lchown(w.Outside+"/file", os.Getuid(), os.Getgid()) }},
	{"fchown", func(w world) error {
		return through(w, func(fd int) error { return unix.Fchown(fd, os.Getuid(), os.Getgid()) })
	}},
	{"times", func(w world) error { return unix.UtimesNanoAt(unix.AT_FDCWD, w.Outside+"/file", zeroTimes, 0) }},
	{"times of a descriptor", func(w world) error {
		return through(w, func(fd int) error {
			return call(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&zeroTimes[0])), 0)
		})
	}},
	{"extended attributes", func(w world) error { return unix.Setxattr(w.Outside+"/file", "user.x", one, 0) }},
	{"extended attributes of a descriptor", func(w world) error {
		return through(w, func(fd int) error { return unix.Fsetxattr(fd, "user.x", one, 0) })
	}},
	{"an access list", func(w world) error { return unix.Setxattr(w.Outside+"/file", "system.posix_acl_access", one, 0) }},
	{"flags of a file", func(w world) error {
		return through(w, func(fd int) error { return unix.IoctlSetPointerInt(fd, 0x40086602, 0x80) })
	}},
	{"verity of a file", ioctlTry(0x40806685)},
	{"encryption of a folder", ioctlTry(0x800c6613)},
	{"flags of a file, as a 32-bit program sets them", ioctlTry(0x40046602)},
	{"a project of a file", ioctlTry(0x401c5820)},
	{"a subvolume", ioctlTry(0x5000940e)},
	{"a subvolume, in 64 bits", ioctlTry(1<<32 | 0x5000940e)},
	{"attributes of a file", func(w world) error {
		attr := make([]byte, 24)
		err := call(469, uintptr(1<<64-100), text(w.Outside+"/file"), uintptr(unsafe.Pointer(&attr[0])), 24, 0)
		if err == unix.ENOSYS {
			return unix.EPERM
		}
		return err
	}},
	{"shared memory by name", func(world) error {
		name := "/dev/shm/mcpfunc-hostile-" + strconv.Itoa(os.Getpid())
		defer os.Remove(name)
		return writes(name)
	}},
	{"shared memory of System V", func(world) error { return shared(unix.SYS_SHMGET, unix.SYS_SHMCTL, 4096) }},
	{"a queue of System V", func(world) error { return shared(unix.SYS_MSGGET, unix.SYS_MSGCTL, 0o600) }},
	{"semaphores of System V", func(world) error { return shared(unix.SYS_SEMGET, unix.SYS_SEMCTL, 1) }},
	{"a queue of POSIX", func(world) error {
		defer call(unix.SYS_MQ_UNLINK, text("hostile"))
		return call(unix.SYS_MQ_OPEN, text("hostile"), unix.O_CREAT|unix.O_RDWR, 0o600, 0)
	}},
	{"the keys of its user", func(world) error {
		return call(unix.SYS_ADD_KEY, text("user"), text("hostile"), text("x"), 1, ^uintptr(3))
	}},
	{"the temporary folder of all", func(world) error {
		name := "/tmp/mcpfunc-hostile-" + strconv.Itoa(os.Getpid())
		defer os.Remove(name)
		return writes(name)
	}},
	{"its own memory by /proc", func(world) error {
		_, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
		return err
	}},
	{"a program in memory", func(w world) error {
		fd, err := unix.MemfdCreate("hostile", 0)
		if err != nil {
			return err
		}
		self, err := os.Open("/proc/self/exe")
		if err != nil {
			return err
		}
		defer self.Close()
		if _, err := io.Copy(os.NewFile(uintptr(fd), "memory"), self); err != nil {
			return err
		}
		return exec.Command(fmt.Sprint("/proc/self/fd/", fd), "hostile", "write", w.Outside+"/new").Run()
	}},
	{"the home of another", func(world) error {
		return writes(filepath.Join(os.Getenv("HOME"), "..", "..", "1", "home", "hostile"))
	}},
	{"ptrace", func(w world) error { return unix.PtraceAttach(w.Victim) }},
	{"memory of a sibling", func(w world) error {
		return vmWrite(w.Victim)
	}},
	{"a descriptor of a sibling", func(w world) error { return descriptorOf(w.Victim) }},
	{"a signal to a sibling", func(w world) error { return unix.Kill(w.Victim, unix.SIGCONT) }},
	{"the namespaces of the app", func(w world) error {
		fd, err := unix.PidfdOpen(w.App, 0)
		if err != nil {
			return err
		}
		return unix.Setns(fd, unix.CLONE_NEWNET|unix.CLONE_NEWNS)
	}},
	{"a mount", func(w world) error { return unix.Mount("none", w.Outside+"/dir", "tmpfs", 0, "") }},
	{"a mount onto itself", func(w world) error { return unix.Mount(w.Inside, w.Outside+"/dir", "", unix.MS_BIND, "") }},
	{"a mount without a place", func(world) error {
		fd, err := unix.Fsopen("tmpfs", 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}},
	{"a copy of a mount", func(w world) error {
		fd, err := unix.OpenTree(unix.AT_FDCWD, w.Outside, unix.OPEN_TREE_CLONE)
		if err != nil {
			return err
		}
		return writes(fmt.Sprint("/proc/self/fd/", fd, "/file"))
	}},
	{"what is inherited", func(world) error {
		for fd := 3; fd < 1024; fd++ {
			if path, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil && strings.HasSuffix(path, "leaked") {
				return nil
			}
		}
		return unix.EBADF
	}},
	{"io_uring", netTries[len(netTries)-2].do},
	{"another root", func(w world) error {
		if err := unix.Chroot(w.Outside); err != nil {
			return err
		}
		return writes("/file")
	}},
}

// ownTries are what a server does, and has to be able to.
var ownTries = []try{
	{"own: a file in its folder", func(w world) error { return writes(w.Inside + "/a") }},
	{"own: home and temporary files", func(world) error {
		return errors.Join(writes(os.Getenv("HOME")+"/a"), writes(os.Getenv("TMPDIR")+"/a"))
	}},
	{"own: moves from folder to folder", func(w world) error { return os.Rename(fresh(w), os.Getenv("HOME")+"/moved") }},
	{"own: links and folders", func(w world) error {
		return errors.Join(os.Link(fresh(w), os.Getenv("HOME")+"/linked"), os.MkdirAll(w.Inside+"/x/y", 0o700), os.RemoveAll(w.Inside+"/x"), os.Symlink("/", w.Inside+"/link"))
	}},
	{"own: mode and times", func(w world) error {
		file := fresh(w)
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		when := time.Unix(1e9, 0)
		err = errors.Join(os.Chmod(file, 0o640), os.Chtimes(file, when, when))
		if info, serr := os.Stat(file); serr != nil || info.Mode() != 0o640 || !info.ModTime().Equal(when) {
			err = errors.Join(err, serr, fmt.Errorf("it is %v, of %v", info.Mode(), info.ModTime()))
		}
		err = errors.Join(err, f.Chmod(0o600), os.Chdir(w.Inside), os.Chmod(filepath.Base(file), 0o755), os.Chmod(fmt.Sprint("/proc/self/fd/", f.Fd()), 0o750))
		if info, serr := os.Stat(file); serr != nil || info.Mode() != 0o750 {
			err = errors.Join(err, serr, fmt.Errorf("it is %v", info.Mode()))
		}
		if got := os.Chmod(w.Inside+"/none", 0o600); !errors.Is(got, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("of a file that is not there: %v", got))
		}
		return err
	}},
	{"own: an owner that it has", func(w world) error {
		file := fresh(w)
		err := errors.Join(os.Chown(file, os.Getuid(), os.Getgid()), os.Lchown(file, -1, os.Getgid()))
		if other := os.Chown(file, 12345, -1); !errors.Is(other, unix.EPERM) {
			err = errors.Join(err, fmt.Errorf("another owner: %v", other))
		}
		return err
	}},
	{"own: a sink", func(world) error { return writes("/dev/null") }},
	{"own: memory", func(world) error { _, err := unix.MemfdCreate("own", 0); return err }},
	{"own: a pair", func(world) error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }},
	{"own: the interfaces", func(world) error { _, err := net.Interfaces(); return err }},
	{"own: starts a program", func(world) error { return exec.Command("/bin/true").Run() }},
	{"own: a port that is listed", func(w world) error {
		if w.Allowed == 0 {
			return nil
		}
		return dials("tcp", fmt.Sprint("127.0.0.1:", w.Allowed))
	}},
}

const withinRan = "in a namespace of users: all were made"

// sandboxed makes the tries of some kinds and prints which succeeded, then again in a namespace of users of its own,
// where it has every capability.
func sandboxed(args []string) {
	var w world
	if err := json.Unmarshal([]byte(args[0]), &w); err != nil {
		panic(err)
	}
	kinds, within := strings.Split(args[1], ","), len(args) > 2
	report := func(tries []try) {
		for _, t := range tries {
			err := t.do(w)
			switch own := strings.HasPrefix(t.name, "own: "); {
			case err == nil && !own && within:
				fmt.Println("in a namespace of users:", t.name)
			case err == nil && !own:
				fmt.Println(t.name)
			case err != nil && own && !within:
				fmt.Printf("%s: %v\n", t.name, err)
			}
		}
	}
	if slices.Contains(kinds, "net") {
		report(netTries)
	}
	if slices.Contains(kinds, "files") {
		report(ownTries)
		report(fileTries)
	}
	if within {
		fmt.Println(withinRan)
		return
	}
	again := exec.Command("/proc/self/exe", append([]string{"hostile", "sandboxed"}, append(args, "within")...)...)
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET}
	if slices.Contains(kinds, "net") {
		again.SysProcAttr.Cloneflags &^= unix.CLONE_NEWNET // or there is nobody to reach
	}
	out, err := again.CombinedOutput()
	os.Stdout.Write(out)
	if err != nil && len(out) > 0 {
		fmt.Println("the namespace of users:", err)
	}
	fmt.Println("end")
}

// newWorld makes what a child is to reach, and returns it with what tells whether it was.
func newWorld(t *testing.T, s *Supervisor) (w world, unchanged func()) {
	t.Helper()
	top := t.TempDir()
	w = world{Outside: top + "/outside", Inside: top + "/inside", App: os.Getpid(), Path: top + "/s", Packets: top + "/p", Name: fmt.Sprint("mcpfunc-test-", os.Getpid(), "-", filepath.Base(top))}
	for _, dir := range []string{w.Outside, w.Inside, w.Inside + "-not", w.Outside + "/dir"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(w.Outside+"/file", []byte("here"), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := func(network, addr string) net.Addr {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Logf("not tested: %v", err)
			return &net.TCPAddr{}
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		return l.Addr()
	}
	w.TCP = listen("tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	w.Allowed = listen("tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	w.TCP6 = listen("tcp", "[::1]:0").(*net.TCPAddr).Port
	listen("unix", w.Path)
	listen("unix", "@"+w.Name)
	for network, addr := range map[string]string{"udp": "127.0.0.1:0", "unixgram": w.Packets} {
		p, err := net.ListenPacket(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		if u, ok := p.LocalAddr().(*net.UDPAddr); ok {
			w.UDP = u.Port
		}
	}
	victim, err := s.Start(Spec{Command: "/bin/sh", Args: []string{"-c", "echo ready; cat"}, Sandbox: Sandbox{ReadOnly: true, Env: homeEnv}})
	if err != nil {
		t.Fatal(err)
	}
	line(t, victim)
	w.Victim = victim.PID()
	before := look(t, top, w.Inside)
	return w, func() {
		t.Helper()
		if diff := cmp.Diff(before, look(t, top, w.Inside)); diff != "" {
			t.Errorf("what is outside has changed (-before +after):\n%s", diff)
		}
		if data, err := os.ReadDir(victim.enclosure.Home); err != nil || len(data) > 0 {
			t.Errorf("the home of a sibling holds %v, %v", data, err)
		}
	}
}

// look returns all that there is to see below a folder, except for one in it.
func look(t *testing.T, top, but string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == but {
			return fs.SkipDir
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		attributes := make([]byte, 256)
		n, _ := unix.Llistxattr(path, attributes)
		text := fmt.Sprintf("%o %d:%d %d links, %d bytes, modified %v, changed %v, %q", st.Mode, st.Uid, st.Gid, st.Nlink, st.Size, st.Mtim, st.Ctim, attributes[:max(0, n)])
		if path == top {
			text = "" // the sockets of the test come and go
		}
		seen[path] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func homeEnv(home, temp string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + temp}
}

// escapes runs a hostile child in a sandbox and returns what succeeded.
func escapes(t *testing.T, s *Supervisor, w world, box Sandbox, kinds string) []string {
	t.Helper()
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "sandboxed", string(data), kinds}, Env: homeEnv(t.TempDir(), t.TempDir()), Sandbox: box})
	if err != nil {
		t.Fatal(err)
	}
	complaints := make(chan string)
	go func() {
		text, _ := io.ReadAll(c.Stderr())
		complaints <- string(text)
	}()
	out, _ := io.ReadAll(c)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := c.Wait(); err != nil || lines[len(lines)-1] != "end" {
		t.Fatalf("the child ended with %v: %q\n%s", err, out, <-complaints)
	}
	<-complaints
	lines = lines[:len(lines)-1]
	if i := slices.Index(lines, withinRan); i >= 0 {
		return slices.Delete(lines, i, i+1)
	}
	if limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); box.asks() && err == nil && strings.TrimSpace(string(limit)) != "0" && os.Getuid() == 0 {
		t.Errorf("no try was made in a namespace of users")
	}
	return lines
}

// needs fails, or skips where nobody promises such a kernel, unless a sandbox can be kept up here. What is said
// instead is tested by TestSandboxIsRefusedByKernelsThatCannotKeepIt.
func needs(t *testing.T, box Sandbox) {
	t.Helper()
	if faults := box.Check(); len(faults) > 0 {
		s := open(t)
		_, err := s.Start(Spec{Command: "/bin/true", Sandbox: box})
		if got := (*SandboxError)(nil); !errors.As(err, &got) || got.Hint == "" {
			t.Fatalf("a sandbox that cannot be kept up: %v", err)
		}
		t.Skipf("this kernel refuses: %v", faults)
	}
}

func TestSandboxWithoutNetwork(t *testing.T) {
	box := Sandbox{NoNetwork: true}
	needs(t, box)
	s := open(t)
	s.TakeProcess()
	w, _ := newWorld(t, s)
	if got := escapes(t, s, w, box, "net"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
}

func TestSandboxWithPorts(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	box := Sandbox{NoNetwork: true, Ports: []uint16{1}, ReadOnly: true, Env: homeEnv}
	needs(t, box)
	w, unchanged := newWorld(t, s)
	box.Ports, box.Write = []uint16{uint16(w.Allowed)}, []string{w.Inside}
	if got := escapes(t, s, w, box, "net,files"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
	unchanged()
}

func TestSandboxOfFiles(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	leak, err := unix.Open("leaked", unix.O_CREAT|unix.O_RDWR, 0o600) // as a program that embeds an App may
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove("leaked")
	defer unix.Close(leak)
	box := Sandbox{ReadOnly: true, Env: homeEnv}
	needs(t, box)
	w, unchanged := newWorld(t, s)
	w.Allowed = 0
	box.Write = []string{w.Inside}
	if got := escapes(t, s, w, box, "files"); len(got) > 0 {
		t.Errorf("escapes: %q", got)
	}
	unchanged()
}

// The tries are worth something: without a sandbox most of them succeed.
func TestTriesSucceedWithoutASandbox(t *testing.T) {
	box := Sandbox{ReadOnly: true, NoNetwork: true, Env: homeEnv}
	needs(t, box)
	s := open(t)
	w, _ := newWorld(t, s)
	got := escapes(t, s, w, Sandbox{}, "net,files")
	for _, name := range []string{
		"TCP to a port that is not listed", "TCP to IPv4 by an IPv6 socket", "TCP fast open by sendto", "a port of its own", "UDP", "netlink of sockets", "a Unix socket by path",
		"a datagram from a pair to a path", "a new file", "truncate", "chmod", "times", "symlink", "a pipe with a name", "a socket",
	} {
		if !slices.Contains(got, name) {
			t.Errorf("without a sandbox this fails as well: %s", name)
		}
	}
	t.Logf("%d tries on the network and %d on files, of which %d succeed without a sandbox", len(netTries), len(fileTries), len(got))
}

func TestSandboxIsRefusedByKernelsThatCannotKeepIt(t *testing.T) {
	none, ports, write := Sandbox{NoNetwork: true}, Sandbox{NoNetwork: true, Ports: []uint16{443}}, Sandbox{ReadOnly: true}
	for _, tt := range []struct {
		means means
		box   Sandbox
		want  string // empty for nothing
	}{
		{means{0, false}, none, "sandbox.network: it needs seccomp filters"},
		{means{6, false}, ports, "sandbox.network: it needs seccomp filters"},
		{means{6, false}, write, "sandbox.write: it needs seccomp filters"},
		{means{0, true}, none, ""},
		{means{3, true}, ports, "sandbox.network: a list of ports needs Landlock ABI 4 (Linux 6.7), but this kernel has 3"},
		{means{4, true}, ports, ""},
		{means{2, true}, write, "sandbox.write: it needs Landlock ABI 3 (Linux 6.2), but this kernel has 2"},
		{means{3, true}, write, ""},
		{means{0, false}, Sandbox{}, ""},
	} {
		faults := tt.box.faults(tt.means)
		got := fmt.Sprint(errors.Join(faults...))
		if tt.want == "" && len(faults) > 0 || tt.want != "" && (len(faults) != 1 || !strings.Contains(got, tt.want)) {
			t.Errorf("%+v with %+v: %s, want %q", tt.box, tt.means, got, tt.want)
		}
		for _, fault := range faults {
			if e := (*SandboxError)(nil); !errors.As(fault, &e) || e.Hint == "" {
				t.Errorf("%v has no hint", fault)
			}
		}
	}
}

// What a child has to itself goes with it, however that ends and whatever it did to it.
func TestHomesGoWithTheirChildren(t *testing.T) {
	box := Sandbox{ReadOnly: true, Env: homeEnv}
	needs(t, box)
	s := Open(slog.New(slog.DiscardHandler))
	start := func(script string) *Child {
		t.Helper()
		c, err := s.Start(Spec{Command: "/bin/sh", Args: []string{"-c", script}, Sandbox: box})
		if err != nil {
			t.Fatal(err)
		}
		line(t, c)
		return c
	}
	stubborn := start(`mkdir -p "$HOME/a/b" && echo x >"$HOME/a/b/c" && chmod 0 "$HOME/a/b" "$HOME/a" "$HOME"; echo ready; cat`)
	daemon := start(`(setsid sh -c 'trap "" TERM HUP; while :; do echo x >"$HOME/x$RANDOM"; sleep 0.05; done' >/dev/null 2>&1 </dev/null &); echo ready; cat`)
	other := start(`echo ready; cat`)
	for _, c := range []*Child{stubborn, daemon} {
		c.Kill()
		eventually(t, "end of "+c.enclosure.Home, func() bool {
			_, err := os.Lstat(filepath.Dir(c.enclosure.Home))
			return errors.Is(err, fs.ErrNotExist)
		})
	}
	if _, err := os.Stat(other.enclosure.Home); err != nil {
		t.Errorf("the home of another: %v", err)
	}
	s.Close()
	if _, err := os.Lstat(s.sys.folders.root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of all: %v", err)
	}
}

func TestHomesGoWithAnAppThatIsKilled(t *testing.T) {
	needs(t, Sandbox{ReadOnly: true, Env: homeEnv})
	app := exec.Command("/proc/self/exe")
	app.Env = append(os.Environ(), "PROCESS_TEST_APP=echo $HOME; chmod 0 $HOME; cat", "PROCESS_TEST_SANDBOX=1", "PROCESS_TEST_LAUNCHER=exec")
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	var home string
	if _, err := fmt.Fscanln(out, &home); err != nil {
		t.Fatal(err)
	}
	app.Process.Kill()
	app.Wait()
	eventually(t, "end of "+home, func() bool {
		_, err := os.Lstat(filepath.Dir(filepath.Dir(home)))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// Where no guard is, the next app tidies up.
func TestHomesOfAppsThatAreGoneAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	old := time.Now().Add(-time.Hour)
	gone, alive, young := newFolders("1000000001"), newFolders("1000000002"), newFolders("1000000003")
	for _, f := range []*folders{&gone, &alive} {
		if _, err := f.add(); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(f.root, old, old)
	}
	gone.lock.Close() // as if its process had been killed
	if err := os.Mkdir(young.root, 0o700); err != nil {
		t.Fatal(err)
	}
	next := newFolders("1000000004")
	if _, err := next.add(); err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]bool{gone.root: false, alive.root: true, young.root: true, next.root: true} {
		if _, err := os.Stat(root); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", root, err == nil, want)
		}
	}
	alive.close()
	next.close()
}

func TestFolderThatIsNotThereIsAnError(t *testing.T) {
	box := Sandbox{ReadOnly: true, Write: []string{"/no/such/folder"}, Optional: true, Env: homeEnv}
	needs(t, box)
	_, err := open(t).Start(Spec{Command: "/bin/true", Sandbox: box})
	if e := (*SandboxError)(nil); !errors.As(err, &e) || e.Key != SandboxWrite || !strings.Contains(e.Text, "/no/such/folder") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// No filter lets a call of another architecture pass, nor one of x32.
func TestFiltersKnowTheirArchitecture(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x32 is of amd64; the check of the architecture is the same program")
	}
	box := Sandbox{NoNetwork: true}
	needs(t, box)
	for name, filter := range map[string]Filter{"child": childFilter, "sandbox": sandboxFilter, "network": networkFilter, "noSockets": noSocketsFilter, "ports": portsFilter, "attributes": attributesFilter, "attended": attendedFilter} {
		const errnoENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		for what, data := range map[string][2]uint32{"i386": {359, unix.AUDIT_ARCH_I386}, "x32": {1<<30 | unix.SYS_SOCKET, unix.AUDIT_ARCH_X86_64}} {
			if got := run(t, filter, data[0], data[1]); got != errnoENOSYS {
				t.Errorf("%s of %s: %#x", name, what, got)
			}
		}
	}
}

// run interprets a filter, for a call with the arguments 0.
func run(t *testing.T, filter Filter, number, arch uint32) uint32 {
	t.Helper()
	words := [16]uint32{number, arch}
	var a uint32
	for pc := 0; pc < len(filter); pc++ {
		in := filter[pc]
		jt, jf, k := int(in>>16&0xff), int(in>>24&0xff), uint32(in>>32)
		jump := func(yes bool) {
			if yes {
				pc += jt
			} else {
				pc += jf
			}
		}
		switch in & 0xffff {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = words[k/4]
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(a == k)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump(a > k)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(a >= k)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(a&k != 0)
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
		case unix.BPF_RET | unix.BPF_K:
			return k
		default:
			t.Fatalf("instruction %#x", in)
		}
	}
	t.Fatal("no end")
	return 0
}

// BenchmarkStart is what a sandbox adds to the start of a process.
func BenchmarkStart(b *testing.B) {
	for name, box := range map[string]Sandbox{
		"without": {},
		"none":    {NoNetwork: true},
		"ports":   {NoNetwork: true, Ports: []uint16{443, 53}},
		"write":   {ReadOnly: true, Write: []string{os.TempDir()}, Env: homeEnv},
		"all":     {NoNetwork: true, Ports: []uint16{443, 53}, ReadOnly: true, Write: []string{os.TempDir()}, Env: homeEnv},
	} {
		b.Run(name, func(b *testing.B) {
			if faults := box.Check(); len(faults) > 0 {
				b.Skip(faults)
			}
			s := Open(slog.New(slog.DiscardHandler))
			defer s.Close()
			for b.Loop() {
				c, err := s.Start(Spec{Command: "/bin/true", Sandbox: box})
				if err != nil {
					b.Fatal(err)
				}
				c.Wait()
			}
		})
	}
}
