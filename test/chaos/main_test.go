//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// lifetime is how long a process lives at most that nobody ends, so that a suite that fails leaves
// nothing behind for good.
const lifetime = 2 * time.Minute

// TestMain lets the test binary be what the suite needs: its first argument says what.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		os.Exit(play(os.Args[1], os.Args[2:]))
	}
	os.Exit(m.Run())
}

// play is the life of one process. It returns its exit code.
func play(role string, args []string) int {
	switch role {
	case "handler":
		return handle()
	case "server":
		return newServer(os.Stdin, os.Stdout).serve()
	case "wrapper":
		return wrap()
	case "stubborn":
		return stand()
	case "fork":
		return fork(args)
	case "daemons", "bomb":
		return increase(role, args)
	}
	fmt.Fprintf(os.Stderr, "no role is called %s\n", role)
	return 2
}

// self is the program that plays all roles.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// scale is how often something is done: as the promise says, or less with -short.
func scale(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// eventually asks until the answer is yes or the time is over, and says which. What is waited for
// happens in other processes.
func eventually(limit, every time.Duration, ask func() bool) bool {
	tick := time.NewTicker(every)
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
