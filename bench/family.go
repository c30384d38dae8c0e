package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A family is a contender's process and its descendants.
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
	for all := []int{p.cmd.Process.Pid}; len(all) > 0; all = all[1:] {
		all = append(all, children[all[0]]...)
		f.processes++
		f.cpu += used[all[0]]
		rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", all[0]))
		if err != nil && f.processes == 1 {
			return f, err
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
