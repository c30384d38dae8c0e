package process

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"reflect"
	"runtime"
	"testing"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "assemble the filters of children again")

const (
	maxUint32 = 1<<32 - 1

	// The numbers by which setpriority(2) and ioprio_set(2) mean all processes of a user.
	prioUser   = 2
	ioprioUser = 3
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

// assemble makes the filter for an architecture of childPolicy.
func assemble(t *testing.T, info *arch.Info) []unix.SockFilter {
	t.Helper()
	policy := childPolicy()
	setArch(&policy, info)
	program, err := policy.Assemble()
	if err != nil {
		t.Fatal(err)
	}
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
	var filter []unix.SockFilter
	for _, in := range raw {
		filter = append(filter, unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K})
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
	for goarch, info := range map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64} {
		want := assemble(t, info)
		file := "filter_linux_" + goarch + ".go"
		var text bytes.Buffer
		fmt.Fprint(&text, "package process\n\nimport \"golang.org/x/sys/unix\"\n\n// childFilter is assembled: see seccomp_linux.go.\nvar childFilter = []unix.SockFilter{\n")
		for _, in := range want {
			fmt.Fprintf(&text, "{Code: %#x, Jt: %d, Jf: %d, K: %#x},\n", in.Code, in.Jt, in.Jf, in.K)
		}
		fmt.Fprint(&text, "}\n")
		source, err := format.Source(text.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(file, source, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(source), string(got)); diff != "" {
			t.Errorf("%s is stale (-policy +file), hint: go test ./internal/process -run TestFilterIsThatOfThePolicy -update\n%s", file, diff)
		}
		if goarch == runtime.GOARCH {
			if diff := cmp.Diff(want, childFilter); !*update && diff != "" {
				t.Errorf("the filter of this program (-want +got):\n%s", diff)
			}
		}
	}
}
