package process

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
