package e2etest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Process is one line of the process table. PID and Start together name a process for good.
type Process struct {
	PID, Parent int
	Start       string
	Exe         string // its program; empty where that is not ours to see
	Dir         string // where it is
	Command     string // its command line
}

func (p Process) String() string { return fmt.Sprintf("%d %s (in %s)", p.PID, p.Command, p.Dir) }

// In reports whether the process is in dir or below it.
func (p Process) In(dir string) bool { return p.Dir == dir || strings.HasPrefix(p.Dir, dir+"/") }

// Processes reads /proc. What has ended but was not reaped does not count: its memory, files and
// pipes are gone.
func Processes(t testing.TB) []Process {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Fatalf("read /proc: %d processes, %v", len(stats), err)
	}
	var all []Process
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// "pid (name) state parent …": a name may hold spaces and parentheses, so count from the last one.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		dir := filepath.Dir(file)
		p := Process{Start: fields[19]}
		p.PID, _ = strconv.Atoi(filepath.Base(dir))
		p.Parent, _ = strconv.Atoi(fields[1])
		p.Exe, _ = os.Readlink(filepath.Join(dir, "exe"))
		p.Dir, _ = os.Readlink(filepath.Join(dir, "cwd"))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		p.Command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		all = append(all, p)
	}
	return all
}

// Eventually asks until the answer is yes or the time is over, and says which. What is waited for
// happens in other processes.
func Eventually(limit time.Duration, ask func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		if ask() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
