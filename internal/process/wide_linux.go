package process

import "golang.org/x/sys/unix"

// widen gives a pipe more room, if it has less and the system allows it.
func widen(fd uintptr) {
	if room, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err == nil && room < wideRoom {
		unix.FcntlInt(fd, unix.F_SETPIPE_SZ, wideRoom)
	}
}
