package mcptest

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// NoLeaks fails the test if, at its end, goroutines run that did not run when it was called, or if
// child processes are left. Both get a moment to go.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			goroutines, children := runtime.NumGoroutine(), children()
			if goroutines <= before && len(children) == 0 {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				stacks = stacks[:runtime.Stack(stacks, true)]
				t.Errorf("%d goroutines, %d before; child processes: %q\n%s", goroutines, before, children, stacks)
				return
			}
		}
	})
}

// children lists the child processes of this one, where /proc tells.
func children() (names []string) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		pids, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for _, pid := range strings.Fields(string(pids)) {
			cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			names = append(names, pid+" "+string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
		}
	}
	return names
}
