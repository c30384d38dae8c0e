package process

import (
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filtersSystemCalls reports whether the kernel takes seccomp filters.
func filtersSystemCalls() bool { return seccomp.Supported() }

const (
	maxUint32 = 1<<32 - 1

	// The numbers by which setpriority(2) and ioprio_set(2) mean all processes of a user.
	prioUser   = 2
	ioprioUser = 3
)

// childPolicy refuses a child what names another process and is not asked about by Landlock: with the same
// user id it could give the handler and its siblings a limit of zero seconds, the lowest priority, or one
// processor. It also refuses to change the limit that marks a child (mark_linux.go). The own process is named
// by 0, as the C library and language runtimes do; the kernel reads 32 bits of these arguments, so that
// more is refused, too.
func childPolicy() seccomp.Policy {
	type conditions = seccomp.ArgumentConditions
	var refused []seccomp.NameWithConditions
	refuse := func(name string, any ...conditions) {
		for _, all := range any {
			refused = append(refused, seccomp.NameWithConditions{Name: name, Conditions: all})
		}
	}
	is := func(argument uint32, value uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.Equal, Value: value}
	}
	not := func(argument uint32, value uint64) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.NotEqual, Value: value}
	}
	long := func(argument uint32) seccomp.Condition {
		return seccomp.Condition{Argument: argument, Operation: seccomp.GreaterThan, Value: maxUint32}
	}
	sets := not(2, 0) // prlimit with a new limit; it also only asks

	refuse("prlimit64", conditions{not(0, 0), sets}, conditions{is(1, markLimit), sets}, conditions{long(1), sets})
	refuse("setrlimit", conditions{is(0, markLimit)}, conditions{long(0)})
	refuse("setpriority", conditions{not(1, 0)}, conditions{is(0, prioUser)}, conditions{long(0)})
	refuse("ioprio_set", conditions{not(1, 0)}, conditions{is(0, ioprioUser)}, conditions{long(0)})
	for _, name := range []string{"sched_setparam", "sched_setscheduler", "sched_setattr", "sched_setaffinity", "migrate_pages", "move_pages"} {
		refuse(name, conditions{not(0, 0)})
	}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{{
			NamesWithCondtions: refused,
			Action:             seccomp.ActionErrno | seccomp.Action(unix.EPERM),
		}},
	}
}

// childFilter assembles childPolicy. It is nil for an architecture that the library does not know.
func childFilter() []unix.SockFilter {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil
	}
	policy := childPolicy()
	program, err := policy.Assemble()
	if err != nil {
		return nil
	}
	// The library lets every call of another architecture pass, whose numbers it does not know.
	const archOffset = 4 // in struct seccomp_data
	filter, err := sockFilter(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: archOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)},
	}, program...))
	if err != nil {
		return nil
	}
	return filter
}

// enterFilter gives the calling thread, and all that it forks, a filter. It needs no new privileges to be set.
func enterFilter(filter []unix.SockFilter) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
