package process

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The walls of a child refuse to change limits of another process, so that its starter sets its limits from
// before them.
func TestChildIsLimitedWhereTheAppIsNot(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	if before.Max == 0 {
		t.Skip("the hard limit is 0 here, and so is every child's")
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: before.Max, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_CORE, &before)
	c := shell(t, open(t), `read x; ulimit -c`)
	c.Write([]byte("go\n")) // Start has returned: they are set
	if out, err := io.ReadAll(c); err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("a child may leave cores of %q blocks, %v", out, err)
	}
}

// A program that embeds an App, or who has started that, may have descriptors open for whatever it starts.
func TestLeakedDescriptorsAreClosedInChildren(t *testing.T) {
	leak, err := unix.Open(t.TempDir(), unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	c := shell(t, open(t), `for fd in /proc/$$/fd/*; do echo ${fd##*/}; done | sort -n | tr '\n' ' '; echo; ulimit -n`)
	out, err := io.ReadAll(c)
	first, _, _ := strings.Cut(string(out), "\n")
	if err != nil || !strings.HasPrefix(first, "0 1 2 ") && strings.TrimSpace(first) != "0 1 2" || strings.Contains(" "+first, " "+strconv.Itoa(leak)+" ") {
		t.Errorf("a child has the descriptors %q, %v, and %d was left open for it", first, err, leak)
	}
}
