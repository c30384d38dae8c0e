//go:build chaos

package chaos

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// process is one line of the process table.
type process struct {
	pid, parent int
	zombie      bool
	name        string
}

func (p process) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.name) }

// processes reads /proc.
func processes() (all []process) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		panic(err) // there is no suite without it
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		// "pid (name) state parent …", and a name may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		p := process{pid: pid, zombie: fields[0] == "Z" || fields[0] == "X", name: commandLine(pid)}
		p.parent, _ = strconv.Atoi(fields[1])
		all = append(all, p)
	}
	return all
}

// commandLine is how a process was started, without the path of its program.
func commandLine(pid int) string {
	_, args, _ := strings.Cut(string(procFile(pid, "cmdline")), "\x00")
	return strings.TrimSpace(strings.ReplaceAll(args, "\x00", " "))
}

func procFile(pid int, name string) []byte {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name) // nothing, if it ended meanwhile
	return data
}

// marked returns the processes that carry a mark of a handler in their environment, or on the
// command line, which this suite's descendants are given besides. A mark that ends with a dot is
// the beginning that all marks of one handler have (handlerMark).
func marked(mark string) (found []process) {
	begin, whole := strings.CutSuffix(mark, ".")
	for _, p := range processes() {
		if p.zombie {
			continue
		}
		for _, field := range slices.Concat(
			bytes.Split(procFile(p.pid, "environ"), []byte{0}),
			bytes.Split(procFile(p.pid, "cmdline"), []byte{0}),
		) {
			field = bytes.TrimPrefix(field, []byte(markName+"="))
			if string(field) == mark || whole && bytes.HasPrefix(field, []byte(begin)) {
				found = append(found, p)
				break
			}
		}
	}
	return found
}

// played returns every process that plays a role of this suite, whatever its parent is.
func played() (found []process) {
	for _, p := range processes() {
		exe, _ := os.Readlink("/proc/" + strconv.Itoa(p.pid) + "/exe") // none, if it has ended
		if exe == self() && p.pid != os.Getpid() {
			found = append(found, p)
		}
	}
	return found
}

// descendants returns what a process has below it, zombies too.
func descendants(root int) (found []process) {
	all := processes()
	ours := map[int]bool{root: true}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !ours[p.pid] && ours[p.parent] {
				ours[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// residentKB is how much memory a process has in RAM.
func residentKB(pid int) int {
	_, rest, _ := strings.Cut(string(procFile(pid, "status")), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.Atoi(fields[0])
	return kb
}

// openFiles is how many files a process has open.
func openFiles(pid int) int {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	return len(entries)
}
