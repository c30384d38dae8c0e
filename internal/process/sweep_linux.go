package process

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A sweep remembers what earlier rounds saw.
type sweep struct {
	zombies map[int]bool
	strays  map[int][]string // orphans without a mark: who was alive when they were first seen
}

// sweep makes one round: it kills orphans of children that are gone, reaps dead ones, and returns
// how many of either it met, so that the caller comes again until there are none.
func (s *system) sweep(w *sweep) (met int) {
	self, own := os.Getpid(), session(os.Getpid())
	zombies, strays := map[int]bool{}, map[int][]string{}
	children := s.supervisor.pids()
	for _, p := range processes() {
		// A child has a session of its own, and so has whatever it started. Who is in ours was
		// started by another part of the program.
		if p.parent != self || p.session == own || children[p.pid] {
			continue
		}
		if p.zombie {
			// One that another part of the program will wait for is gone by the next round.
			zombies[p.pid] = true
			met++
			if w.zombies[p.pid] {
				syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
			}
			continue
		}
		if s.isLeft(p.pid, w.strays, strays) {
			syscall.Kill(p.pid, syscall.SIGKILL)
			s.supervisor.log.Warn("a server left a process behind; killed", "pid", p.pid)
			met++
		}
	}
	w.zombies, w.strays = zombies, strays
	return met
}

// isLeft reports whether an orphan's child is gone. Its mark tells whose it is. One that has cleared
// its environment has no mark, but has no new privileges either, as everything that came of our
// children: it is left when all who were alive when it was first seen are gone, since one of them
// was its child, or its child had gone before. seen and see are the strays of the last round and of
// this one.
func (s *system) isLeft(pid int, seen, see map[int][]string) bool {
	if mark := markOf(pid); mark != "" {
		return strings.HasPrefix(mark, s.nonce+".") && !s.isLive(mark)
	}
	if s.confined || !confined(pid) {
		return false
	}
	owners, known := seen[pid]
	if !known {
		owners = s.liveMarks()
	}
	see[pid] = owners
	return !slices.ContainsFunc(owners, s.isLive)
}

// confined reports whether a process has no new privileges (PR_SET_NO_NEW_PRIVS).
func confined(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && bytes.Contains(status, []byte("\nNoNewPrivs:\t1"))
}

type process struct {
	pid, parent, group, session int
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

func session(pid int) int {
	p, _ := inspect(pid, make([]byte, statBytes))
	return p.session
}

// markOf returns the mark in a process's environment, or "".
func markOf(pid int) string {
	environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(markName+"=")); ok {
			return string(value)
		}
	}
	return ""
}
