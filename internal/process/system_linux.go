package process

import (
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// markName is a variable in the environment of every child, and so of what it starts, by which a
// process that has left its group and lost its parent is still known to be ours.
const markName = "MCPFUNC_CHILD"

// system is a Supervisor's hold on what children leave behind: it makes the app a sub-reaper, so that
// orphans are its children, and kills those whose child is gone.
type system struct {
	supervisor *Supervisor
	landlock   int    // ABI, 0 for none
	confined   bool   // the app itself has no new privileges, so that this tells nothing of others
	nonce      string // of this supervisor; the first half of every mark
	guard      guard

	mu    sync.Mutex
	count int
	live  map[string]bool // marks of children that are starting or alive
	oom   int64           // what oomKills said at oomAt
	oomAt time.Time

	wake chan struct{} // something ended; capacity 1
	stop chan struct{}
	done chan struct{} // the sweeper has returned; nil if it never ran
	once sync.Once
}

func (s *system) open(sup *Supervisor) {
	s.supervisor = sup
	s.nonce = rand.Text()[:16]
	s.landlock = landlockABI()
	s.confined = confined(os.Getpid())
	s.live = map[string]bool{}
	s.wake, s.stop, s.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	s.guard.nonce = s.nonce
	// Without it orphans go to init and are found by nobody; children themselves still die.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		s.supervisor.log.Warn("cannot become a sub-reaper", "error", err)
	}
}

func (s *system) isolation() string {
	if s.landlock == 0 {
		return "process group, parent-death signal, sub-reaper, guard; no Landlock: children can read each other's environment"
	}
	if s.landlock < 6 {
		return fmt.Sprintf("process group, parent-death signal, sub-reaper, guard, Landlock (ABI %d: no signal scope)", s.landlock)
	}
	return fmt.Sprintf("process group, parent-death signal, sub-reaper, guard, Landlock (ABI %d)", s.landlock)
}

// limitation tells of the kernels 5.13 to 5.18: see enterDomain. Programs that copy where they cannot
// move, as mv does, get on with it; package runners fail while they install.
func (s *system) limitation() (text, hint string) {
	if s.landlock != 1 {
		return "", ""
	}
	return "this kernel lets no process that is kept apart move or link a file from one folder to another (Landlock ABI 1), and uvx, npx and git may fail for that",
		"take a kernel of 5.19 or later, or have nothing installed at the start: mcpfunc pack"
}

func (s *system) newMark() string {
	s.once.Do(func() {
		if err := s.guard.start(); err != nil {
			s.supervisor.log.Warn("cannot start the guard: if the app is killed, what its servers started may survive", "error", err)
		}
		go s.sweepOnWake()
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	mark := s.nonce + "." + strconv.Itoa(s.count)
	s.live[mark] = true
	return mark
}

// recentOOMKills is oomKills as it was within the last second: reading it costs as much as a fork.
func (s *system) recentOOMKills() int64 {
	s.mu.Lock()
	fresh, n := time.Since(s.oomAt) < time.Second, s.oom
	s.mu.Unlock()
	if fresh {
		return n
	}
	n = oomKills()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oom, s.oomAt = n, time.Now()
	return n
}

func (s *system) dropMark(mark string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, mark)
}

func (s *system) isLive(mark string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[mark]
}

func (s *system) ended(c *Child) {
	s.guard.track('-', c.PID())
	s.dropMark(c.mark)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// liveMarks lists the marks of children that are starting or alive.
func (s *system) liveMarks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.live))
}

// sweepDelay is between the end of a child and the sweep after it. It lets a killed group come to
// its end, and makes one sweep of many.
const sweepDelay = 200 * time.Millisecond

func (s *system) sweepOnWake() {
	defer close(s.done)
	var w sweep
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
		}
		for again := true; again; {
			select {
			case <-s.stop:
				return
			case <-time.After(sweepDelay):
			}
			again = s.sweep(&w) > 0
		}
	}
}

// close sweeps until nothing is left, and dismisses the guard.
func (s *system) close() {
	ran := true
	s.once.Do(func() { ran = false })
	if !ran {
		return
	}
	close(s.stop)
	<-s.done
	var w sweep
	for deadline := time.Now().Add(3 * time.Second); s.sweep(&w) > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	s.guard.dismiss()
}
