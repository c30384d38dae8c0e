package process

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// No filter lets a call of another architecture pass, nor one of x32.
func TestFiltersKnowTheirArchitecture(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x32 is of amd64; the check of the architecture is the same program")
	}
	box := Sandbox{NoNetwork: true}
	needs(t, box)
	for name, filter := range map[string]Filter{"child": childFilter, "sandbox": sandboxFilter, "network": networkFilter, "no-sockets": noSocketsFilter, "ports": portsFilter, "attributes": attributesFilter, "attended": attendedFilter} {
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
	program := instructions(filter)
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		k := in.K
		jump := func(yes bool) {
			if yes {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Op {
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
			t.Fatalf("instruction %+v", in)
		}
	}
	t.Fatal("no end")
	return 0
}
