package process

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "assemble the filters of children again")

const (
	maxUint32 = 1<<32 - 1

	// The numbers by which setpriority(2) and ioprio_set(2) mean one process. The others mean a group or a user,
	// and a process can join the group of another one.
	prioProcess   = 0
	ioprioProcess = 1
)

// childPolicy is what the filter of a child is assembled from. The own process is named by 0, as the C library
// and language runtimes do; the kernel reads 32 bits of these arguments, so that more is refused, too.
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
	refuse("setpriority", conditions{not(1, 0)}, conditions{not(0, prioProcess)}, conditions{long(0)})
	refuse("ioprio_set", conditions{not(1, 0)}, conditions{not(0, ioprioProcess)}, conditions{long(0)})
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

// A rule is what a filter does with some system calls: with all of one, or with those of whose conditions all are
// met by the arguments.
type rule struct {
	action     seccomp.Action
	names      []string
	conditions [][]seccomp.Condition
}

func errno(e unix.Errno) seccomp.Action { return seccomp.ActionErrno | seccomp.Action(e) }

func arg(n uint32, operation seccomp.Operation, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: n, Operation: operation, Value: value}
}

// low is met by an argument of which the kernel reads 32 bits, with any others above.
func low(n uint32, value uint32) (all []seccomp.Condition) {
	for bit := uint32(1); bit != 0; bit <<= 1 {
		if value&bit != 0 {
			all = append(all, arg(n, seccomp.BitsSet, uint64(bit)))
		}
	}
	return append(all, arg(n, seccomp.BitsNotSet, uint64(^value)))
}

// ofType is met by the operations of ioctl(2) of a type, which is the second byte of the number.
func ofType(kind byte) (all []seccomp.Condition) {
	for bit := uint64(0x100); bit < 0x10000; bit <<= 1 {
		if uint64(kind)<<8&bit != 0 {
			all = append(all, arg(1, seccomp.BitsSet, bit))
		}
	}
	return append(all, arg(1, seccomp.BitsNotSet, 0xff00&^(uint64(kind)<<8)))
}

// sandboxRules are of every sandbox: a ring does by itself what system calls are refused, and what System V and
// POSIX share by user id is neither a file nor a socket.
func sandboxRules() []rule {
	return []rule{
		{errno(unix.ENOSYS), []string{"io_uring_setup", "io_uring_enter", "io_uring_register", "add_key", "request_key", "keyctl"}, nil},
		{errno(unix.EACCES), []string{
			"shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semtimedop", "semctl", "mq_open", "mq_unlink",
		}, nil},
	}
}

const (
	netlinkRoute  = 0
	typeFlags     = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	datagramBit   = unix.SOCK_DGRAM // and of SOCK_RAW, which is a datagram's to AF_UNIX
	tcpULP        = 31
	fastOpen      = unix.MSG_FASTOPEN
	getFlags      = 1    // the number of FS_IOC_GETFLAGS among those of type 'f'; others set flags, verity or encryption
	setAttributes = 0x20 // a bit of the number of FS_IOC_FSSETXATTR among those of type 'X', which FS_IOC_FSGETXATTR does not have
)

// pairRule leaves pairs of sockets that can reach nobody but each other: a datagram could be sent to an address.
var pairRule = rule{errno(unix.EACCES), []string{"socketpair"}, [][]seccomp.Condition{
	{arg(0, seccomp.NotEqual, unix.AF_UNIX)}, {arg(1, seccomp.BitsSet, datagramBit)},
}}

// networkRules are of every sandbox with a network that is not all: nothing is listened on, and TCP is opened by
// connect(2), where Landlock is asked, and not by a message, nor by a socket that has become one of SMC.
func networkRules() []rule {
	return []rule{
		pairRule,
		{errno(unix.EACCES), []string{"sendto"}, [][]seccomp.Condition{{arg(3, seccomp.BitsSet, fastOpen)}}},
		{errno(unix.EACCES), []string{"sendmsg"}, [][]seccomp.Condition{{arg(2, seccomp.BitsSet, fastOpen)}}},
		{errno(unix.EACCES), []string{"sendmmsg"}, [][]seccomp.Condition{{arg(3, seccomp.BitsSet, fastOpen)}}},
		{errno(unix.EACCES), []string{"setsockopt"}, [][]seccomp.Condition{append(low(1, unix.SOL_TCP), low(2, tcpULP)...)}},
		{errno(unix.EACCES), []string{"listen", "accept", "accept4"}, nil},
	}
}

// Language runtimes list the interfaces of a machine by NETLINK_ROUTE; without privileges it carries nothing else.
func noSocketsRules() []rule {
	return []rule{{errno(unix.EACCES), []string{"socket"}, [][]seccomp.Condition{
		{arg(0, seccomp.NotEqual, unix.AF_NETLINK)}, {arg(2, seccomp.NotEqual, netlinkRoute)},
	}}}
}

// portsRules leave TCP, whose ports Landlock decides on.
func portsRules() []rule {
	stream := func(family uint64) []seccomp.Condition {
		all := []seccomp.Condition{arg(0, seccomp.Equal, family)}
		for _, flags := range []uint64{0, unix.SOCK_NONBLOCK, unix.SOCK_CLOEXEC, typeFlags} {
			all = append(all, arg(1, seccomp.NotEqual, unix.SOCK_STREAM|flags))
		}
		return all
	}
	tcp := func(family uint64) []seccomp.Condition {
		return []seccomp.Condition{arg(0, seccomp.Equal, family), arg(2, seccomp.NotEqual, 0), arg(2, seccomp.NotEqual, unix.IPPROTO_TCP)}
	}
	return []rule{{errno(unix.EACCES), []string{"socket"}, [][]seccomp.Condition{
		{arg(0, seccomp.NotEqual, unix.AF_INET), arg(0, seccomp.NotEqual, unix.AF_INET6), arg(0, seccomp.NotEqual, unix.AF_NETLINK)},
		{arg(0, seccomp.Equal, unix.AF_NETLINK), arg(2, seccomp.NotEqual, netlinkRoute)},
		stream(unix.AF_INET), stream(unix.AF_INET6), tcp(unix.AF_INET), tcp(unix.AF_INET6),
	}}}
}

// reportRules pass on all that a sandbox may refuse and mcpfunc dev tells of: see report_linux.go.
func reportRules() []rule {
	const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC
	return []rule{
		{seccomp.ActionUserNotify, append([]string{
			"socket", "connect", "openat2", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
			"link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "truncate",
		}, attendedCalls...), nil},
		{seccomp.ActionUserNotify, []string{"open"}, [][]seccomp.Condition{{arg(1, seccomp.BitsSet, writes)}}},
		{seccomp.ActionUserNotify, []string{"openat"}, [][]seccomp.Condition{{arg(2, seccomp.BitsSet, writes)}}},
	}
}

// attributesRules are of what Landlock does not ask about: see attributes_linux.go.
func attributesRules() []rule {
	return []rule{
		{errno(unix.EPERM), []string{"utime", "utimes", "futimesat", "file_setattr"}, nil},
		{errno(unix.EOPNOTSUPP), []string{
			"setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr", "removexattrat",
		}, nil},
		{errno(unix.EOPNOTSUPP), []string{"ioctl"}, [][]seccomp.Condition{
			append(ofType('X'), arg(1, seccomp.BitsSet, setAttributes)),
			append(ofType('f'), arg(1, seccomp.BitsSet, 0xff&^getFlags)),
			// btrfs creates subvolumes in a folder that is only read. Shared copies of files (FICLONE) are of this type, too:
			// programs then make full ones.
			ofType(0x94),
		}},
		{errno(unix.EACCES), []string{"fcntl"}, [][]seccomp.Condition{low(1, unix.F_SETLEASE)}}, // others wait while they open the file
	}
}

// attendedRules are of what an attendant does for a child.
var attendedCalls = []string{"chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat", "chown", "lchown", "fchown", "fchownat"}

func attendedRules() []rule {
	return []rule{{seccomp.ActionUserNotify, attendedCalls, nil}}
}

// legacy are calls that newer architectures do not have.
var legacy = []string{
	"chmod", "chown", "lchown", "utime", "utimes", "futimesat",
	"open", "creat", "mkdir", "rmdir", "unlink", "rename", "renameat", "link", "symlink", "mknod",
}

// programs assembles each rule. The library compares with a call's number what the conditions of the one before
// have loaded, so that each call with conditions has a program of its own.
func programs(t *testing.T, info *arch.Info, rules []rule) (all []bpf.Instruction) {
	t.Helper()
	info.SyscallNames["file_setattr"] = 469 // Linux 6.17; newer than the library
	for _, r := range rules {
		group := seccomp.SyscallGroup{Action: r.action}
		for _, name := range r.names {
			if _, known := info.SyscallNames[name]; !known && slices.Contains(legacy, name) {
				continue
			}
			if r.conditions == nil {
				group.Names = append(group.Names, name)
			}
			for _, c := range r.conditions {
				group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: c})
			}
		}
		if len(group.Names)+len(group.NamesWithCondtions) == 0 {
			continue // all of them are legacy
		}
		program := assembled(t, info, seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{group}})
		all = append(all, program[:len(program)-1]...) // what passes goes on to the next
	}
	return append(all, bpf.RetConstant{Val: uint32(seccomp.ActionAllow)})
}

func assembled(t *testing.T, info *arch.Info, policy seccomp.Policy) []bpf.Instruction {
	t.Helper()
	setArch(&policy, info)
	program, err := policy.Assemble()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// assembledFilters are all that a handler has, by name.
func assembledFilters(t *testing.T, info *arch.Info) map[string]Filter {
	t.Helper()
	of := func(rules []rule) Filter { return finish(t, info, programs(t, info, rules)) }
	return map[string]Filter{
		"child":      finish(t, info, assembled(t, info, childPolicy())),
		"sandbox":    of(sandboxRules()),
		"network":    of(networkRules()),
		"no-sockets": of(noSocketsRules()),
		"ports":      of(portsRules()),
		"attributes": of(attributesRules()),
		"attended":   of(attendedRules()),
		"report":     of(reportRules()),
	}
}

// finish makes a filter of a program.
func finish(t *testing.T, info *arch.Info, program []bpf.Instruction) Filter {
	t.Helper()
	// The library lets every call of another architecture pass.
	const archOffset = 4 // in struct seccomp_data
	raw, err := bpf.Assemble(append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: archOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)},
	}, program...))
	if err != nil {
		t.Fatal(err)
	}
	var filter Filter
	for _, in := range raw { // struct sock_filter; both architectures are little-endian
		filter = binary.LittleEndian.AppendUint16(filter, in.Op)
		filter = append(filter, in.Jt, in.Jf)
		filter = binary.LittleEndian.AppendUint32(filter, in.K)
	}
	return filter
}

// setArch chooses the architecture of a policy, which the library takes from the program that it is in.
func setArch(policy *seccomp.Policy, info *arch.Info) {
	field := reflect.ValueOf(policy).Elem().FieldByName("arch")
	*(**arch.Info)(unsafe.Pointer(field.UnsafeAddr())) = info
}

// The filters are data in the handler. What they are assembled from is above.
func TestFilterIsThatOfThePolicy(t *testing.T) {
	t.Parallel()
	for goarch, info := range map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64} {
		dir := filepath.Join("filters", goarch)
		want := assembledFilters(t, info)
		for name, program := range want {
			file := filepath.Join(dir, name+".bpf")
			if *update {
				if err := os.WriteFile(file, program, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(program, got) {
				t.Errorf("%s is stale, hint: go test ./internal/process -run TestFilterIsThatOfThePolicy -update\n-policy\n%s+file\n%s", file, listing(program), listing(got))
			}
			if goarch == runtime.GOARCH && !*update && !bytes.Equal(filter(name), got) {
				t.Errorf("the handler has another %s", file)
			}
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != len(want) {
			t.Errorf("%s has %d files, want %d: %v", dir, len(files), len(want), err)
		}
	}
}

// listing disassembles a filter.
func listing(f Filter) string {
	var text strings.Builder
	for i, in := range instructions(f) {
		fmt.Fprintf(&text, "%3d %v\n", i, in.Disassemble())
	}
	return text.String()
}

func instructions(f Filter) (all []bpf.RawInstruction) {
	for in := range slices.Chunk(f, unix.SizeofSockFilter) {
		all = append(all, bpf.RawInstruction{Op: binary.LittleEndian.Uint16(in), Jt: in[2], Jf: in[3], K: binary.LittleEndian.Uint32(in[4:])})
	}
	return all
}
