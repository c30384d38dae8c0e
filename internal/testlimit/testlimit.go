// Package testlimit says how long tests wait, how often they try, and what they may lack: a machine under load must not
// fail a test, and a test must not keep a machine busy for nothing. Only tests import it.
package testlimit

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"
)

// NoExitSleep is for a TestMain whose tests run programs under the race detector, such as the test's own:
// each would wait a second at its exit.
func NoExitSleep() { os.Setenv("GORACE", "atexit_sleep_ms=0") } // fails on bad names only

// longest is how long a test waits at most.
const longest = 5 * time.Minute

// began is about when go test began to count.
var began = time.Now()

// Wait is how long a test waits for what must come: longer than a machine under any load takes, and
// still less than is left until go test ends all tests without a word of what this one waited for.
func Wait() time.Duration {
	timeout := flag.Lookup("test.timeout")
	if timeout == nil { // a program that a test runs
		return longest
	}
	limit, err := time.ParseDuration(timeout.Value.String())
	if err != nil || limit <= 0 { // none
		return longest
	}
	return min(longest, (limit-time.Since(began))*3/4)
}

// Context ends after Wait, and with t.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Wait())
	t.Cleanup(cancel)
	return ctx
}

// Eventually waits until what is said to become so is so, and asks often. It reports whether it became so.
func Eventually(so func() bool) bool {
	for late := time.Now().Add(Wait()); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			return false
		}
	}
	return true
}

// Rounds is for tests that find something by doing it very often: n, and a tenth of that in a short run
// or under the race detector, which takes about ten times as long. CI runs such tests without it, too.
func Rounds(n int) int {
	if Race || testing.Short() {
		return n / 10
	}
	return n
}

// Lack skips a test because this machine lacks something that CI has: there, it fails the test.
func Lack(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
