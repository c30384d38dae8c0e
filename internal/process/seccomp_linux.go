package process

import (
	"embed"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The filter of every child refuses it what names another process and is not asked about by Landlock: with the
// same user id it could give the handler and its siblings a limit of zero seconds, the lowest priority, or one
// processor. It also refuses to change the limit that marks a child (mark_linux.go), and every system call of
// another architecture than the handler's, whose numbers it does not know.
//
// What it is made of, seccomp_linux_test.go says; `go test -run TestFilterIsThatOfThePolicy -update` assembles it
// again, by a library that a handler then need not hold. The other filters are of sandboxes.

// filtersSystemCalls reports whether the kernel takes seccomp filters: it then looks for the program.
func filtersSystemCalls() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, 0)
	return errno == unix.EFAULT
}

// A Filter is a program of seccomp, as the kernel takes it: an array of struct sock_filter (linux/filter.h).
type Filter []byte

//go:embed filters
var filters embed.FS

// filter returns what filters/ has of this name for this architecture; nil for none.
func filter(name string) Filter {
	program, _ := filters.ReadFile("filters/" + runtime.GOARCH + "/" + name + ".bpf")
	return program
}

var (
	childFilter      = filter("child")
	sandboxFilter    = filter("sandbox")
	networkFilter    = filter("network")
	noSocketsFilter  = filter("no-sockets")
	portsFilter      = filter("ports")
	attributesFilter = filter("attributes")
	attendedFilter   = filter("attended")
)

func (f Filter) program() unix.SockFprog {
	return unix.SockFprog{Len: uint16(len(f) / unix.SizeofSockFilter), Filter: (*unix.SockFilter)(unsafe.Pointer(&f[0]))}
}

// enterFilter gives the calling thread, and all that it forks, a filter. It needs no new privileges to be set.
func enterFilter(filter Filter) error {
	program := filter.program()
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
