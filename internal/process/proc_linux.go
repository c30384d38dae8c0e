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
	pid, parent, group, session int
	started                     int64 // when, in ticks since the machine was started
	resident                    int64 // bytes
	zombie                      bool
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
		case 4:
			p.session, _ = strconv.Atoi(string(field))
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
