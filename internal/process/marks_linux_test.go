package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// A daemon that hides in the process group of a sibling, or in the app's, dies with the child that it came of, and
// its memory counts for nobody else.
func TestJoinedGroupsDoNotHelp(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	sibling := shell(t, s, `echo ready; cat`)
	line(t, sibling)
	app, err := unix.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, group := range map[string]int{"of a sibling": sibling.PID(), "of the app": app} {
		t.Run(name, func(t *testing.T) {
			before := NewMachine().Used([]int{sibling.PID()})[sibling.PID()]
			c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "join", strconv.Itoa(group)}})
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Fields(line(t, c))
			if len(said) != 2 {
				t.Fatalf("it said %q", said)
			}
			daemon, err := strconv.Atoi(said[0])
			if err != nil {
				t.Fatal(err)
			}
			if !s.sys.terminal && said[1] != "true" {
				t.Errorf("it did not join the group: the test shows nothing")
			}
			if used := NewMachine().Used([]int{sibling.PID()})[sibling.PID()]; used > before+(1<<20) {
				t.Errorf("the sibling uses %d bytes, and used %d before", used, before)
			}
			c.Kill()
			eventually(t, "end of the daemon", func() bool { return !alive(daemon) })
			if !alive(sibling.PID()) {
				t.Error("the sibling was killed")
			}
		})
	}
}

// A child that has joined another group is killed all the same, and nobody else of that group.
func TestChildThatLeftItsGroupIsKilled(t *testing.T) {
	s := open(t)
	sibling := shell(t, s, `echo ready; cat`)
	line(t, sibling)
	c, err := launchers[current](s, Spec{Command: "/proc/self/exe", Args: []string{"hostile", "join", fmt.Sprint("+", sibling.PID())}})
	if err != nil {
		t.Fatal(err)
	}
	if said := line(t, c); !s.sys.terminal && !strings.HasSuffix(said, "true") {
		t.Errorf("it did not join the group: the test shows nothing: %q", said)
	}
	c.Kill()
	select {
	case <-c.gone:
	case <-time.After(testlimit.Wait()):
		unix.Kill(c.PID(), unix.SIGKILL)
		t.Error("it lives")
	}
	if !alive(sibling.PID()) {
		t.Error("the sibling was killed")
	}
}

// Whatever a daemon says of itself, it dies with the child that it came of, and no other does.
func TestForgedMarksDoNotHelp(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	if _, ok := s.sys.currentTier().(*pinned); !ok {
		testlimit.Lack(t, "marks cannot be pinned here: %s", s.Isolation())
	}
	sibling := shell(t, s, daemon)
	siblings := pidsOf(t, sibling)
	for name, forged := range map[string]string{
		"none": "", "a foreign one": markName + "=123456789000000001", "a sibling's": markName + "=" + sibling.mark.text,
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, s, strings.Replace(bare, "env -i", "env -i "+forged, 1))
			pids := pidsOf(t, c)
			c.Kill()
			for _, pid := range pids {
				eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
			}
			for _, pid := range siblings {
				if !alive(pid) {
					t.Errorf("%d of the sibling was killed", pid)
				}
			}
		})
	}

	// A child that takes its sibling's mark on does not take the sibling with it, and its own end counts.
	thief := shell(t, s, "export "+markName+"="+sibling.mark.text+"; "+daemon)
	pids := pidsOf(t, thief)
	sibling.Kill()
	for _, pid := range siblings {
		eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("%d has the mark of another in its environment, and died with that", pid)
		}
	}
}

// The mark of a child is not a limit of the app's, and of nothing else that it starts.
func TestPinnedMarkIsTheChildsAlone(t *testing.T) {
	s := open(t)
	s.TakeProcess()
	var before, after unix.Rlimit
	unix.Getrlimit(markLimit, &before)
	c := shell(t, s, `echo ready; cat`)
	line(t, c)
	unix.Getrlimit(markLimit, &after)
	if before != after {
		t.Errorf("the app's own limit was %v and is %v", before, after)
	}
	if got, _ := s.sys.marks.of(c.PID()); got != c.mark.number {
		t.Errorf("the child's mark is %d, want %d", got, c.mark.number)
	}
	if got, _ := pinnedMark(os.Getpid()); s.sys.marks.ours(got) {
		t.Errorf("the app has the mark %d", got)
	}
}
