package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// confined reports whether a process has no new privileges (PR_SET_NO_NEW_PRIVS).
func confined(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && bytes.Contains(status, []byte("\nNoNewPrivs:\t1"))
}

type process struct {
	pid, parent, group int
	started            int64 // when, in ticks since the machine was started
	resident           int64 // bytes
	zombie             bool
}

// A descent tells which of some processes others came of. It rests on parents alone: a process can
// join the group of another one, but not become its child.
type descent struct {
	parents map[int]int
	of      map[int]int // which child a process descends from; 0 for none
}

// descentFrom returns the descent of all processes from the roots.
func descentFrom(all []process, roots map[int]bool) descent {
	d := descent{make(map[int]int, len(all)), make(map[int]int, len(all))}
	for _, p := range all {
		d.parents[p.pid] = p.parent
	}
	for root := range roots {
		d.of[root] = root
	}
	return d
}

// below returns the child of top by which pid came of it, or is, and 0 if it did not.
func (d descent) below(top, pid int) int {
	for range len(d.parents) {
		switch parent := d.parents[pid]; parent {
		case top:
			return pid
		case 0:
			return 0
		default:
			pid = parent
		}
	}
	return 0
}

// root returns the root that a process came of, or is, and 0 if it does not belong to any root, or an orphan by now.
func (d descent) root(pid int) (root int) {
	var way []int
	for ; pid > 0 && len(way) <= len(d.parents); pid = d.parents[pid] {
		if known, ok := d.of[pid]; ok {
			root = known
			break
		}
		way = append(way, pid)
	}
	for _, pid := range way {
		d.of[pid] = root
	}
	return root
}

// processes lists what /proc shows.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []process
	buf := make([]byte, statBytes)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := inspect(pid, buf); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// statBytes is enough for the fields of /proc/pid/stat that matter.
const statBytes = 1 << 10

// inspect reads /proc/pid/stat (proc_pid_stat(5)), into a buffer of statBytes.
func inspect(pid int, buf []byte) (process, bool) {
	stat := read("/proc/"+strconv.Itoa(pid)+"/stat", buf)
	p := process{pid: pid}
	fields := 0
	// The second field is the name in parentheses, and may hold anything.
	for field := range bytes.FieldsSeq(stat[bytes.LastIndexByte(stat, ')')+1:]) {
		fields++
		switch fields {
		case 1:
			p.zombie = string(field) == "Z" || string(field) == "X"
		case 2:
			p.parent, _ = strconv.Atoi(string(field))
		case 3:
			p.group, _ = strconv.Atoi(string(field))
		case 20:
			p.started, _ = strconv.ParseInt(string(field), 10, 64)
		case 22:
			pages, _ := strconv.ParseInt(string(field), 10, 64)
			p.resident = pages * int64(os.Getpagesize())
			return p, true
		}
	}
	return process{}, false
}

// lives reports whether a process still has its number, with a buffer as of inspect. What was read about the number
// since the process was inspected is then of that process.
func (p process) lives(buf []byte) bool {
	now, ok := inspect(p.pid, buf)
	return ok && now.started == p.started
}

// read returns what the first read of a file gives, or nothing. It is for files of the kernel, of which
// that is all if buf is large enough, and which a sweep reads for every process of the machine: os.ReadFile
// makes three times as many system calls, most of them to ask whether they can be waited for.
func read(path string, buf []byte) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	for err == syscall.EINTR {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, buf)
	for err == syscall.EINTR {
		n, err = syscall.Read(fd, buf)
	}
	return buf[:max(n, 0)]
}

// pidfds returns the processes that a descriptor of ours refers to, and whether the system has such
// descriptors. Go keeps one of every process that it has started and not waited for.
func pidfds() (pids map[int]bool, ok bool) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return nil, false
	}
	unix.Close(fd)
	dir, err := os.Open("/proc/self/fdinfo")
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, false
	}
	pids = map[int]bool{}
	buf := make([]byte, statBytes)
	for _, name := range names {
		info := read("/proc/self/fdinfo/"+name, buf)
		if _, rest, found := bytes.Cut(info, []byte("\nPid:\t")); found {
			digits, _, _ := bytes.Cut(rest, []byte("\n"))
			if pid, err := strconv.Atoi(string(digits)); err == nil {
				pids[pid] = true
			}
		}
	}
	return pids, true
}
