package process

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// A fork server runs code of others. It cannot have the app take any process for its child.
func TestForkServerCannotNameProcessesOfOthers(t *testing.T) {
	needPython(t)
	s := open(t)
	victim := shell(t, s, `echo ready; cat`)
	line(t, victim)
	lies := fmt.Sprintf(`
import os
def forks():
    import inspect
    os.write(inspect.currentframe().f_back.f_locals["talk"], b"pid %d\n")
    return 1
if __name__ != "__main__":
    os.fork = forks
`, victim.PID())
	f, err := startForkServer(s, lies)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Fork(Spec{Command: "liar"}); err == nil || !strings.Contains(err.Error(), "which is not its child") {
		t.Errorf("it named a process of another: %v", err)
	}
	if !alive(victim.PID()) {
		t.Error("that was killed")
	}
}

// A fork server that talks without end takes neither the memory of the app nor its time.
func TestForkServerThatTalksWithoutEnd(t *testing.T) {
	needPython(t)
	f, err := startForkServer(open(t), `
import os
def forks():
    import inspect
    try:
        while True:
            os.write(inspect.currentframe().f_back.f_locals["talk"], b"x" * 4096)
    except OSError:
        pass
    return 1
if __name__ != "__main__":
    os.fork = forks
`)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Fork(Spec{Command: "talker"}); !errors.Is(err, bufio.ErrBufferFull) {
		t.Errorf("got %v", err)
	}
}

// A fork server may reap its child before it is told to. The number of the child's group is then not the child's any more.
func TestGroupOfAReapedChildIsLeftAlone(t *testing.T) {
	s := open(t)
	victim := shell(t, s, `echo ready; cat`)
	line(t, victim)
	reaped := exec.Command("true")
	if err := reaped.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Child{pid: victim.PID(), proc: reaped.Process, systemChild: systemChild{fork: &forked{}}} // the victim has its number by now
	reaped.Wait()
	c.tree.terminate(c)
	c.tree.kill(c)
	c.tree.end(c)
	victim.Close()
	if err := victim.Wait(); err != nil {
		t.Errorf("the process that has its number now: %v", err)
	}
}
