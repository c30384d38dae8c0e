package mcptest

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

func TestGoroutinesBelongToTheTestTheyCameOf(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			NoLeaks(t)
			gone := make(chan struct{})
			t.Cleanup(func() { close(gone) }) // before NoLeaks looks
			started := make(chan struct{})
			go func() {
				go func() {
					close(started)
					<-gone
				}()
			}()
			<-started
			// This one, the inner one, and none of the other test's; the outer one is over, or nearly so.
			if !testlimit.Eventually(func() bool { return len(goroutinesOf(t.Name())) == 2 }) {
				t.Errorf("of this test are\n%s", strings.Join(goroutinesOf(t.Name()), "\n"))
			}
			if got := strings.Join(goroutinesOf(t.Name()), ""); !strings.Contains(got, "leaks_test.go") {
				t.Errorf("no stack names its source:\n%s", got)
			}
		})
	}
}

func TestProcessesBelongToTheTestTheyCameOf(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children are known on Linux alone")
	}
	t.Parallel()
	NoLeaks(t)
	cmd := exec.Command("sleep", "1000")
	cmd.Env = append(os.Environ(), OwnerVariable+"="+t.Name())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !testlimit.Eventually(func() bool { return len(childrenOf(t.Name())) == 1 }) { // once it is sleep, and no copy of us
		t.Error("the child is not found")
	}
	if other := childrenOf("TestOther"); other != nil {
		t.Errorf("of another test are %q", other)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	if left := childrenOf(t.Name()); left != nil {
		t.Errorf("after its end there are %q", left)
	}
}
