package mcptest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// ownerLabel is a label of goroutines, and OwnerVariable a variable of processes: the test whose they are.
const (
	ownerLabel    = "mcptest-owner"
	OwnerVariable = "MCPTEST_OWNER"
)

// guarded are the names of tests at whose end NoLeaks looks.
var guarded sync.Map

// NoLeaks fails the test if, at its end, goroutines run that came of it after this call, or processes
// that are our children and have its name in OwnerVariable. They get as long to go as tests wait for
// anything.
//
// A goroutine belongs to the test that started it, or that started who did: it inherits a label. Other
// tests may run at the same time. Of several calls in one test the first counts: what it began before the last
// ends after it.
func NoLeaks(t testing.TB) {
	t.Helper()
	name := t.Name()
	pprof.SetGoroutineLabels(pprof.WithLabels(t.Context(), pprof.Labels(ownerLabel, name)))
	if _, again := guarded.LoadOrStore(name, true); again {
		return
	}
	t.Cleanup(func() {
		guarded.Delete(name)
		pprof.SetGoroutineLabels(context.Background()) // of this one, which goes on
		var stacks, pids []string
		if !testlimit.Eventually(func() bool {
			stacks, pids = goroutinesOf(name), childrenOf(name)
			return len(stacks)+len(pids) == 0
		}) {
			t.Errorf("left behind: child processes %q, goroutines:\n%s", pids, strings.Join(stacks, "\n"))
		}
	})
}

// goroutinesOf returns the stacks of a test's goroutines, the same ones once, with their number.
func goroutinesOf(test string) (stacks []string) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}
	}
	label := fmt.Sprintf("%q:%q", ownerLabel, test)
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, label) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// childrenOf lists the child processes of this one that a test started, where /proc tells.
func childrenOf(test string) (names []string) {
	owner := []byte(OwnerVariable + "=" + test + "\x00")
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		pids, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for _, pid := range strings.Fields(string(pids)) {
			if environ, _ := os.ReadFile("/proc/" + pid + "/environ"); !bytes.Contains(environ, owner) {
				continue
			}
			cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			names = append(names, pid+" "+string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
		}
	}
	return names
}
