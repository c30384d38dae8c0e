package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// awaitParent waits by a file descriptor of the parent, which can be read when the parent has ended. A
// kernel or sandbox without them is asked again and again.
func awaitParent() (wait func() bool, abort func()) {
	fd, err := unix.PidfdOpen(parent, unix.PIDFD_NONBLOCK)
	if err != nil {
		over := make(chan struct{})
		return func() bool { return lookForParent(over) }, func() { close(over) }
	}
	file := os.NewFile(uintptr(fd), "parent")
	wait = func() bool {
		if os.Getppid() != parent { // it ended before, and the descriptor may be another's
			return true
		}
		return awaitEnd(file)
	}
	return wait, func() { file.Close() }
}

// awaitEnd waits until the process of a descriptor, which does not block, has ended. It reports false if the
// descriptor is closed before.
func awaitEnd(pidfd *os.File) bool {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 && err == nil
	}) == nil
}
