package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// started are the ids of processes that the benchmark itself started and has not waited for. Every other child of it is
// an orphan of a contender: newLab makes the benchmark their reaper, so that their processor time is not lost.
var started sync.Map

// A family is a contender's process, its descendants, and its orphans, which stay zombies until it is stopped. Only one
// contender runs at a time.
type family struct {
	processes int
	cpu       time.Duration // with that of children that have ended and were waited for
	memory    int64         // bytes; a page that n processes share counts 1/n in each (PSS)
}

// family returns what the process and its descendants use. A descendant that ends meanwhile has no memory.
func (p *proc) family() (f family, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return f, err
	}
	children, used := map[int][]int{}, map[int]time.Duration{}
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], pid)
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime: proc(5) fields 14 to 17
			ticks, _ := strconv.ParseInt(field, 10, 64)
			used[pid] += time.Duration(ticks) * time.Second / 100 // USER_HZ
		}
	}
	all := []int{p.cmd.Process.Pid}
	for _, pid := range children[os.Getpid()] {
		if _, known := started.Load(pid); !known {
			all = append(all, pid)
		}
	}
	for ; len(all) > 0; all = all[1:] {
		all = append(all, children[all[0]]...)
		f.cpu += used[all[0]]
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", all[0]))
		if err != nil && all[0] == p.cmd.Process.Pid {
			return f, err
		}
		if len(rollup) > 0 { // not a zombie
			f.processes++
		}
		for line := range strings.Lines(string(rollup)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
				kib, err := strconv.ParseInt(fields[1], 10, 64)
				if err != nil {
					return f, err
				}
				f.memory += kib << 10
			}
		}
	}
	return f, nil
}

// reapOrphans ends what a contender that was stopped has left.
func reapOrphans() {
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range tasks {
		list, _ := os.ReadFile(file)
		for field := range strings.FieldsSeq(string(list)) {
			pid, _ := strconv.Atoi(field)
			if _, known := started.Load(pid); !known {
				unix.Kill(pid, unix.SIGKILL)
				unix.Wait4(pid, nil, 0, nil)
			}
		}
	}
}
