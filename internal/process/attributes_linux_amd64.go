package process

import "golang.org/x/sys/unix"

const (
	sysChmod  = unix.SYS_CHMOD
	sysChown  = unix.SYS_CHOWN
	sysLchown = unix.SYS_LCHOWN
)
