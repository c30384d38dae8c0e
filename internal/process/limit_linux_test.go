package process

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The walls of a child refuse to change limits of another process, so that whoever starts it sets its limits from
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
