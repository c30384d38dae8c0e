//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is one line of the process table. Pid and start together name a process for good.
type process struct {
	pid, parent int
	start       string
	exe, cwd    string
	command     string
}

func (p process) String() string { return fmt.Sprintf("%d %s (in %s)", p.pid, p.command, p.cwd) }

// processes reads /proc. What has ended but was not reaped does not count: its memory, files and pipes are gone.
func processes(t *testing.T) []process {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Fatalf("read /proc: %d processes, %v", len(stats), err)
	}
	var all []process
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
		p := process{start: fields[19]}
		p.pid, _ = strconv.Atoi(filepath.Base(dir))
		p.parent, _ = strconv.Atoi(fields[1])
		p.exe, _ = os.Readlink(filepath.Join(dir, "exe"))
		p.cwd, _ = os.Readlink(filepath.Join(dir, "cwd"))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		p.command = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		all = append(all, p)
	}
	return all
}

// processesOf is every process whose program is the handler, and every descendant of one.
func processesOf(t *testing.T, handler string) []process {
	t.Helper()
	all := processes(t)
	ours := make(map[int]bool)
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !ours[p.pid] && (p.exe == handler || ours[p.parent]) {
				ours[p.pid], grown = true, true
			}
		}
	}
	var tree []process
	for _, p := range all {
		if ours[p.pid] {
			tree = append(tree, p)
		}
	}
	return tree
}

// assertGone fails the test if one of the processes, or any process in the directory, outlives its host.
func assertGone(t *testing.T, started []process, dir string) {
	t.Helper()
	var left []process
	gone := eventually(15*time.Second, func() bool {
		left = nil
		for _, p := range processes(t) {
			inside := p.cwd == dir || strings.HasPrefix(p.cwd, dir+"/")
			for _, s := range started {
				inside = inside || p.pid == s.pid && p.start == s.start
			}
			if inside {
				left = append(left, p)
			}
		}
		return len(left) == 0
	})
	if !gone {
		t.Errorf("%d processes outlived the host: %v", len(left), left)
	}
}

// eventually asks until the answer is yes or the time is over, and says which.
func eventually(limit time.Duration, ask func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
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
