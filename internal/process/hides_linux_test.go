package process

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hides are ways to hold a connection without its being among the open files of a process.
var hides = map[string]func(fd int) error{
	"in a message that nobody takes": func(fd int) error {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return unix.Sendmsg(pair[0], []byte("x"), unix.UnixRights(fd), nil, 0)
	},
	"in io_uring": func(fd int) error {
		var params [120]byte
		ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
		if errno != 0 {
			return errno
		}
		const registerFiles = 2
		files := [1]int32{int32(fd)}
		return call(unix.SYS_IO_URING_REGISTER, ring, registerFiles, uintptr(unsafe.Pointer(&files)), 1)
	},
	"in a thread": func(fd int) error { // which keeps it when all others close it
		ready := make(chan error)
		var keep func()
		keep = func() {
			runtime.LockOSThread()
			if unix.Gettid() == os.Getpid() { // whose files are those of the process
				go keep()
			} else {
				ready <- unix.Unshare(unix.CLONE_FILES)
			}
			select {}
		}
		go keep()
		return <-ready
	},
}

// dial connects to addr and says hello, hidden from others of its user or gone before it is looked for.
func dial(addr, how string) {
	if hide := hides[how]; hide != nil {
		to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())})
		}
		if err == nil {
			_, err = unix.Write(fd, []byte("hello"))
		}
		if err == nil {
			err = hide(fd)
		}
		unix.Close(fd)
		fmt.Println("said", err)
		io.Copy(io.Discard, os.Stdin)
		return
	}
	dialer := net.Dialer{}
	switch how {
	case "hidden":
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	case "by MPTCP":
		dialer.SetMultipathTCP(true)
	default:
		if ip := net.ParseIP(how); ip != nil {
			dialer.LocalAddr = &net.TCPAddr{IP: ip}
		}
	}
	c, err := dialer.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	io.WriteString(c, "hello")
	if how == "gone" {
		c.Close()
	}
	fmt.Println("said")
	answer, _ := io.ReadAll(c)
	fmt.Printf("heard %q\n", answer)
	io.Copy(io.Discard, os.Stdin)
}
