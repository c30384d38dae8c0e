package process

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Machine tells of the memory of the machine, or of the container if that has less. It implements
// admission.Memory. Pages that processes share are counted once.
type Machine struct{ shares *shares }

// NewMachine returns a Machine.
func NewMachine() Machine { return Machine{new(shares)} }

// Free is what the kernel says is available, or what the control group has left.
func (Machine) Free() (int64, bool) {
	free, ok := meminfo("MemAvailable:")
	if left, limited := groupLeft(); limited && (!ok || left < free) {
		return left, true
	}
	return free, ok
}

// Total is what the machine has, or what the control group may use.
func (Machine) Total() (int64, bool) {
	total, ok := meminfo("MemTotal:")
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, limited := number(path); limited && (!ok || limit < total) {
			total, ok = limit, true
		}
	}
	return total, ok
}

// Used sums what the processes and their descendants use. An orphan does not count: it could have joined the
// group of another one.
func (m Machine) Used(pids []int) map[int]int64 {
	used := make(map[int]int64, len(pids))
	if len(pids) == 0 {
		return used
	}
	roots := make(map[int]bool, len(pids))
	for _, pid := range pids {
		used[pid], roots[pid] = 0, true
	}
	all := processes()
	descent := descentFrom(all, roots)
	theirs := slices.DeleteFunc(all, func(p process) bool { return descent.root(p.pid) == 0 })
	for i, size := range m.shares.measure(theirs) {
		used[descent.root(theirs[i].pid)] += size
	}
	return used
}

func meminfo(field string) (int64, bool) {
	data, _ := os.ReadFile("/proc/meminfo")
	kib, ok := figure(data, field)
	return kib << 10, ok
}

// figure returns the number behind a name that a line begins with, whatever its unit.
func figure(data []byte, name string) (int64, bool) {
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// groupLeft is what the control group may still use: its limit less what it uses and cannot give up.
func groupLeft() (int64, bool) {
	if limit, ok := number("/sys/fs/cgroup/memory.max"); ok { // version 2
		used, _ := number("/sys/fs/cgroup/memory.current")
		return limit - used + stat("/sys/fs/cgroup/memory.stat", "inactive_file"), true
	}
	limit, ok := number("/sys/fs/cgroup/memory/memory.limit_in_bytes")
	used, ok2 := number("/sys/fs/cgroup/memory/memory.usage_in_bytes")
	return limit - used + stat("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"), ok && ok2
}

func number(path string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64) // "max" is not a limit
	return n, err == nil
}

func stat(path, field string) int64 {
	data, _ := os.ReadFile(path)
	n, _ := figure(data, field+" ")
	return n
}

// oomKills is how many processes the kernel has killed for want of memory: in this control group,
// or on the machine.
func oomKills() int64 {
	if data, err := os.ReadFile("/sys/fs/cgroup/memory.events"); err == nil && len(data) > 0 {
		return stat("/sys/fs/cgroup/memory.events", "oom_kill")
	}
	return stat("/proc/vmstat", "oom_kill")
}
